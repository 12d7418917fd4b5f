//! Who is asking: the bearer token of a request becomes a [`Principal`].
//!
//! The header is read by hand. The framework's own security schemes answer a missing header before any code of ours
//! runs, in plain text and with another status than ours.

use std::sync::Arc;

use auth_core::Principal;
use poem::http::{HeaderMap, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::State;
use super::error::{Code, Failure};

/// The name of the scheme in the document.
const SCHEME: &str = "bearer";

/// The holder of a good token.
pub struct Bearer(pub Principal);

/// The holder of a good token that says they are an admin.
pub struct AdminBearer(pub Principal);

impl Bearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        let state = request.data::<Arc<State>>().ok_or_else(|| Failure::internal("the request carries no state"))?;
        let checked = match unverified_token(request.headers()) {
            Ok(unverified_token) => state.service.authenticate(unverified_token).await.map_err(Failure::from),
            Err(code) => Err(Failure::new(code)),
        };
        state.metrics.token_checked(checked.as_ref().map_or_else(|failure| failure.code.as_str(), |_| "ok"));
        checked
    }
}

impl AdminBearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        let principal = Bearer::of(request).await?;
        if principal.is_admin() { Ok(principal) } else { Err(Failure::new(Code::AdminRequired)) }
    }
}

/// The token in the `Authorization` header, not looked at any further.
///
/// - No header, an empty one, or the scheme `Bearer` with nothing after it: the token is missing.
/// - Another scheme, more than one word after the scheme, more than one header, or bytes that no token has: what was
///   sent is no token of ours.
///
/// # Errors
///
/// [`Code::TokenMissing`] or [`Code::TokenInvalid`].
pub fn unverified_token(headers: &HeaderMap) -> Result<&str, Code> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Code::TokenMissing),
        (Some(value), None) => value.to_str().map_err(|_| Code::TokenInvalid)?,
        (Some(_), Some(_)) => return Err(Code::TokenInvalid),
    };
    let mut words = value.split([' ', '\t']).filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Err(Code::TokenMissing),
        (Some(scheme), token, rest) if scheme.eq_ignore_ascii_case("bearer") => match (token, rest) {
            (None, _) => Err(Code::TokenMissing),
            (Some(token), None) => Ok(token),
            (Some(_), Some(_)) => Err(Code::TokenInvalid),
        },
        _ => Err(Code::TokenInvalid),
    }
}

macro_rules! security_extractor {
    ($extractor:ident) => {
        impl<'a> ApiExtractor<'a> for $extractor {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                registry.create_security_scheme(
                    SCHEME,
                    MetaSecurityScheme {
                        ty: "http",
                        description: Some(
                            "The token that register and login answer with, as `Authorization: Bearer <token>`.",
                        ),
                        name: None,
                        key_in: None,
                        scheme: Some("bearer"),
                        bearer_format: Some("JWT"),
                        flows: None,
                        openid_connect_url: None,
                    },
                );
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![SCHEME]
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                Ok(Self($extractor::of(request).await?))
            }
        }
    };
}

security_extractor!(Bearer);
security_extractor!(AdminBearer);

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        unverified_token(&headers).map(str::to_owned)
    }

    #[test]
    fn the_scheme_is_read_without_regard_to_case() {
        for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c ", "\tBearer\ta.b.c"] {
            assert_eq!(read(&[header.as_bytes()]).as_deref(), Ok("a.b.c"), "{header:?}");
        }
    }

    #[test]
    fn a_header_without_a_token_is_no_token() {
        assert_eq!(read(&[]), Err(Code::TokenMissing));
        for header in ["", " ", "\t", "Bearer", "bearer ", "Bearer \t "] {
            assert_eq!(read(&[header.as_bytes()]), Err(Code::TokenMissing), "{header:?}");
        }
    }

    #[test]
    fn anything_else_is_an_invalid_token() {
        for header in ["a.b.c", "Basic dTpw", "Basic", "Bearer a b", "Bearera.b.c", "Token a.b.c", "Bearer: a.b.c x"] {
            assert_eq!(read(&[header.as_bytes()]), Err(Code::TokenInvalid), "{header:?}");
        }
        assert_eq!(read(&["Bearer \u{fc}".as_bytes()]), Err(Code::TokenInvalid));
        assert_eq!(read(&[b"Bearer \xff\xfe"]), Err(Code::TokenInvalid));
        assert_eq!(read(&[b"Bearer a.b.c", b"Bearer a.b.c"]), Err(Code::TokenInvalid));
    }

    proptest! {
        #[test]
        fn what_is_read_is_one_word_of_the_header(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::AUTHORIZATION, value.clone());
                if let Ok(token) = unverified_token(&headers) {
                    prop_assert!(!token.is_empty() && token.is_ascii() && !token.contains([' ', '\t']));
                    prop_assert!(value.to_str().unwrap().ends_with(token) || value.to_str().unwrap().trim_end_matches([' ', '\t']).ends_with(token));
                }
            }
        }
    }
}
