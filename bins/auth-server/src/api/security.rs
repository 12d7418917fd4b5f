//! Who is asking: the bearer token of a request becomes a [`Principal`].
//!
//! The header is read by hand. The framework's own security schemes answer a missing header before any code of ours
//! runs, in plain text and with another status than ours.

use auth_core::{Check, Principal};

use poem::http::{HeaderMap, HeaderValue, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::State;
use super::error::{Code, Failure};
use super::query::refuse_wrong_parameters;

/// The name of the scheme in the document.
const SCHEME: &str = "bearer";

/// The holder of a good token.
pub struct Bearer(pub Principal);

/// The holder of a good token that says they are an admin.
pub struct AdminBearer(pub Principal);

/// The holder of a good token who logs out. Refuses like [`Bearer`], except that a missing token is a 403.
pub struct LeavingBearer(pub Principal);

impl Bearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        let state = State::of(request)?;
        let checked = match check(state, request.headers()) {
            Ok(Check::Good(principal)) => Ok(principal),
            Ok(Check::AskTheLog(unsettled)) => unsettled.settle().await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        count(state, &checked);
        checked
    }

    /// Who sent these headers, where memory alone can tell.
    pub(super) fn at_once(state: &State, headers: &HeaderMap) -> Option<Result<Principal, Failure>> {
        let checked = match check(state, headers) {
            Ok(Check::Good(principal)) => Ok(principal),
            Ok(Check::AskTheLog(_)) => return None,
            Err(failure) => Err(failure),
        };
        count(state, &checked);
        Some(checked)
    }
}

fn check(state: &State, headers: &HeaderMap) -> Result<Check, Failure> {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    let unverified_token = auth_http::unverified_token(values.map(HeaderValue::as_bytes));
    let unverified_token = unverified_token.map_err(|kind| Failure::new(kind.into()))?;
    Ok(state.service.verifier().check(unverified_token)?)
}

fn count(state: &State, checked: &Result<Principal, Failure>) {
    state.metrics.token_checked(checked.as_ref().map_or_else(|failure| failure.code.as_str(), |_| "ok"));
}

impl AdminBearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        Ok(auth_http::admin(Bearer::of(request).await?)?)
    }
}

impl LeavingBearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        Bearer::of(request).await.map_err(|failure| match failure.code {
            Code::TokenMissing => Failure::new(Code::TokenMissingAtLogout),
            _ => failure,
        })
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
                Ok(Self(principal))
            }
        }
    };
}

security_extractor!(Bearer);
security_extractor!(AdminBearer);
security_extractor!(LeavingBearer);
