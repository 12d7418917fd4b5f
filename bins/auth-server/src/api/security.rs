//! Who is asking: the bearer token of a request becomes a [`Principal`].
//!
//! The header is read by hand. The framework's own security schemes answer a missing header before any code of ours
//! runs, in plain text and with another status than ours.

use auth_core::{Principal, gate};
use poem::http::{HeaderValue, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::State;
use super::error::Failure;

/// The name of the scheme in the document.
const SCHEME: &str = "bearer";

/// The holder of a good token.
pub struct Bearer(pub Principal);

/// The holder of a good token that says they are an admin.
pub struct AdminBearer(pub Principal);

impl Bearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        let state = State::of(request)?;
        let values = request.headers().get_all(header::AUTHORIZATION).iter();
        let checked = match gate::unverified_token(values.map(HeaderValue::as_bytes)) {
            Ok(unverified_token) => state.service.authenticate(unverified_token).await.map_err(Failure::from),
            Err(kind) => Err(Failure::new(kind.into())),
        };
        state.metrics.token_checked(checked.as_ref().map_or_else(|failure| failure.code.as_str(), |_| "ok"));
        checked
    }
}

impl AdminBearer {
    async fn of(request: &Request) -> Result<Principal, Failure> {
        Ok(gate::admin(Bearer::of(request).await?)?)
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
