//! A JSON body that is written straight into its text.
//!
//! The framework makes a tree of values first, every key and every id a string of its own. That is a tenth of the answer
//! to `/auth/verify`, which is asked for all the time, so this one answer is written by hand.

use std::fmt::Write as _;

use poem::{IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use time::format_description::well_known::Rfc3339;

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
    fn to_text(&self) -> String {
        let Self { user_id, token_id, admin, issued_at, expires_at } = self;
        let instant = |instant: &time::OffsetDateTime| instant.format(&Rfc3339).unwrap_or_default();
        let (issued_at, expires_at) = (instant(issued_at), instant(expires_at));
        let mut text = String::with_capacity(256);
        // Nothing in it has to be escaped, and writing to a string cannot fail.
        let _ = write!(
            text,
            r#"{{"user_id":"{user_id}","token_id":"{token_id}","admin":{admin},"issued_at":"{issued_at}","expires_at":"{expires_at}"}}"#
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::{Example as _, ToJSON as _};

    use super::*;

    #[test]
    fn what_is_written_is_what_the_framework_would_write() {
        assert_eq!(TokenClaims::example().to_text(), TokenClaims::example().to_json_string());
    }
}
