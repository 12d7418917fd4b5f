//! Extractors that check the bearer token of a request.
//!
//! They read the `Authorization` field themselves. The framework's own security schemes would answer a missing field in plain
//! text and with another status.

use auth_core::{Principal, TokenCheck};
use poem::http::{HeaderMap, HeaderValue, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::code::Code;
use super::error::ApiError;
use super::query::refuse_wrong_parameters;
use super::state::State;

/// Name of the security scheme in the OpenAPI document.
const SCHEME: &str = "bearer";

/// The holder of a valid token.
pub(crate) struct Bearer(pub(crate) Principal);

/// Evidence that the request has a valid token of an admin.
pub(crate) struct AdminBearer;

/// The holder of a valid token who logs out. Fails like [`Bearer`], except that a missing token is a 403.
pub(crate) struct LogoutBearer(pub(crate) Principal);

impl Bearer {
    async fn of(request: &Request) -> Result<Principal, ApiError> {
        let state = State::of(request)?;
        let checked = match check(state, request.headers()) {
            Ok(TokenCheck::Good(principal)) => Ok(principal),
            Ok(TokenCheck::Unsettled(unsettled)) => unsettled.settle().await.map_err(ApiError::from),
            Err(error) => Err(error),
        };
        count(state, &checked);
        checked
    }
}

/// Checks the token of a request as far as that is possible in memory.
///
/// # Errors
///
/// The token is missing or not valid.
pub(crate) fn check(state: &State, headers: &HeaderMap) -> Result<TokenCheck, ApiError> {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    let unverified_token = auth_http::unverified_token(values.map(HeaderValue::as_bytes));
    let unverified_token = unverified_token.map_err(|kind| ApiError::new(kind.into()))?;
    Ok(state.service.verifier().check(unverified_token)?)
}

/// Counts the outcome of a check in the metrics.
pub(crate) fn count(state: &State, checked: &Result<Principal, ApiError>) {
    state.metrics.token_checked(checked.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok"));
}

impl AdminBearer {
    async fn of(request: &Request) -> Result<Principal, ApiError> {
        Ok(auth_http::admin(Bearer::of(request).await?)?)
    }
}

impl LogoutBearer {
    async fn of(request: &Request) -> Result<Principal, ApiError> {
        Bearer::of(request).await.map_err(|error| match error.code {
            Code::TokenMissing => ApiError::new(Code::TokenMissingAtLogout),
            _ => error,
        })
    }
}

macro_rules! security_extractor {
    ($extractor:ident, $from_principal:expr) => {
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
                            "The token that register and login answer with in `Authorization`, sent as `Authorization: Bearer \
                             <token>`. Paste the token alone: the word `Bearer` is put before it.",
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
                let principal = $extractor::of(request).await?;
                refuse_wrong_parameters(request)?;
                Ok($from_principal(principal))
            }
        }
    };
}

security_extractor!(Bearer, Bearer);
security_extractor!(AdminBearer, |_| AdminBearer);
security_extractor!(LogoutBearer, LogoutBearer);
