//! A JSON body that is written straight into its text.
//!
//! The framework makes a tree of values first, every key and every id a string of its own. That is a tenth of the answer
//! to `/auth/verify`, which is asked for all the time, so this one answer is written by hand.

use poem::{IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::dto::TokenClaims;
use super::json::Json;

/// A body that the document shows as JSON of `T`, and that is.
pub(super) struct Written<T>(pub(super) T);

impl<T: Type> Payload for Written<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        Json::<T>::schema_ref()
    }

    fn register(registry: &mut Registry) {
        Json::<T>::register(registry);
    }
}

impl IntoResponse for Written<TokenClaims> {
    fn into_response(self) -> Response {
        Response::builder().content_type(Json::<TokenClaims>::CONTENT_TYPE).body(self.0.to_text())
    }
}

impl TokenClaims {
    fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(256);
        // Nothing in it has to be escaped, and writing to memory cannot fail.
        for (before, id) in [(r#"{"user_id":""#, self.user_id), (r#"","token_id":""#, self.token_id)] {
            text.extend_from_slice(before.as_bytes());
            text.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        }
        text.extend_from_slice(if self.admin { br#"","admin":true"# } else { br#"","admin":false"# });
        for (before, instant) in [(r#","issued_at":""#, self.issued_at), (r#"","expires_at":""#, self.expires_at)] {
            text.extend_from_slice(before.as_bytes());
            let _ = instant.format_into(&mut text, &Rfc3339);
        }
        text.extend_from_slice(br#""}"#);
        text
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::{Example as _, ToJSON as _};

    use super::*;

    #[test]
    fn what_is_written_is_what_the_framework_would_write() {
        for admin in [false, true] {
            let claims = || TokenClaims { admin, ..TokenClaims::example() };
            assert_eq!(String::from_utf8(claims().to_text()), Ok(claims().to_json_string()));
        }
    }
}
