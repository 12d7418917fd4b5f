//! Extractors that check the token of a request: that in its `Authorization` header or, without that header, that in its cookie.
//!
//! They read the `Authorization` field themselves. The framework's own security schemes would answer a missing field in plain
//! text and with another status.

use auth_core::{Principal, TokenCheck, TokenKind};
use auth_http::{Code, Demand, RefusalKind};
use poem::http::{HeaderValue, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::cookie::{self, Head};
use super::error::ApiError;
use super::query::refuse_wrong_parameters;
use super::state::State;

/// Scope of the clients that may read the feed of revocations.
const FEED_SCOPE: &str = "revocations";

/// Name of the security scheme in the OpenAPI document.
const SCHEME: &str = "bearer";

/// The holder of a valid token of a user: of a login, or a personal access token. The token of a client is a 403.
pub(crate) struct Bearer(pub(crate) Principal);

/// The holder of the valid token of a login: for operations that change the account. A personal access token is a 403, and so is
/// the token of a client.
pub(crate) struct LoginBearer(pub(crate) Principal, pub(crate) Carrier);

/// The holder of a valid token of any kind.
pub(crate) struct AnyBearer(pub(crate) Principal);

/// The holder of a valid token of a client with the scope `revocations`.
pub(crate) struct FollowerBearer;

/// The holder of a valid token who is an admin: for operations that read what every admin may see. A personal access token that names
/// the role `admin` is good enough.
pub(crate) struct AdminBearer;

/// The holder of the valid token of a login who is an admin: for operations that change an account, or that show sessions or personal
/// access tokens. A personal access token is a 403 like at [`LoginBearer`], even if it names the role `admin`.
pub(crate) struct LoginAdminBearer(pub(crate) Principal);

/// The holder of the valid token of a login who logs out. Fails like [`LoginBearer`], except that a missing token is a 403.
pub(crate) struct LogoutBearer(pub(crate) Principal, pub(crate) Carrier);

/// The part of a request that has its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// The header `Authorization`.
    Header,
    /// The cookie.
    Cookie,
}

impl Bearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        Ok(Self(holder(request, &Demand::user()).await?.0))
    }
}

impl LoginBearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        let (principal, carrier) = holder(request, &Demand::login()).await?;
        Ok(Self(principal, carrier))
    }
}

impl AnyBearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        Ok(Self(holder(request, &Demand::anyone()).await?.0))
    }
}

impl FollowerBearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        let (principal, _) = holder(request, &Demand::anyone().scope(FEED_SCOPE)).await?;
        // A user could give the scope to a personal access token.
        if principal.kind() != TokenKind::Client {
            return Err(RefusalKind::InsufficientScope.into());
        }
        Ok(Self)
    }
}

impl AdminBearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        holder(request, &Demand::user().admin()).await?;
        Ok(Self)
    }
}

impl LoginAdminBearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        Ok(Self(holder(request, &Demand::login().admin()).await?.0))
    }
}

/// Returns the holder of the valid token that a request carries, which meets `demand`, and where the token was.
///
/// # Errors
///
/// The token is missing or not valid, does not meet `demand`, or is in a cookie and the page may not act for the user.
pub(crate) async fn holder(request: &Request, demand: &Demand) -> Result<(Principal, Carrier), ApiError> {
    let (state, head) = (State::of(request)?, Head::of(request));
    let checked = match check(state, &head) {
        Ok(TokenCheck::Good(principal)) => Ok(principal),
        Ok(TokenCheck::Unsettled(unsettled)) => unsettled.settle().await.map_err(ApiError::from),
        Err(error) => Err(error),
    };
    count(state, &checked);
    let principal = checked?;
    demand.check(&principal)?;
    Ok((principal, if head.has_authorization() { Carrier::Header } else { Carrier::Cookie }))
}

/// Checks the token of a request as far as that is possible in memory. The cookie is looked at only if there is no `Authorization`
/// header, so that a bad header is never replaced by a good cookie.
///
/// # Errors
///
/// The token is missing or not valid, or it is in a cookie and the page may not act for the user.
pub(crate) fn check(state: &State, head: &Head<'_>) -> Result<TokenCheck, ApiError> {
    let values = head.headers.get_all(header::AUTHORIZATION).iter();
    match auth_http::unverified_token(values.map(HeaderValue::as_bytes)) {
        Ok(unverified_token) => Ok(state.service.verifier().check(unverified_token)?),
        Err(RefusalKind::TokenMissing) if !head.has_authorization() => {
            let tokens = head.cookie_tokens(state)?;
            Ok(state.service.verifier().check(tokens.unverified_access)?)
        }
        Err(kind) => Err(kind.into()),
    }
}

/// Counts the outcome of a check in the metrics.
pub(crate) fn count(state: &State, checked: &Result<Principal, ApiError>) {
    state.metrics.token_checked(checked.as_ref().map_or_else(|error| error.code().as_str(), |_| "ok"));
}

impl LogoutBearer {
    async fn of(request: &Request) -> Result<Self, ApiError> {
        match LoginBearer::of(request).await {
            Ok(LoginBearer(principal, carrier)) => Ok(Self(principal, carrier)),
            Err(error) if error.code() == Code::TokenMissing => Err(Code::TokenMissingAtLogout.into()),
            // A page cannot remove the cookie itself. Who was away for a while logs out all the same.
            // So does the holder of a token whose key was retired meanwhile.
            Err(error)
                if matches!(error.code(), Code::TokenExpired | Code::TokenInvalid)
                    && !Head::of(request).has_authorization() =>
            {
                Ok(Self(renewed(request).await?, Carrier::Cookie))
            }
            Err(error) => Err(error),
        }
    }
}

/// Renews the session in the cookie, whose access token is not good any more.
async fn renewed(request: &Request) -> Result<Principal, ApiError> {
    let state = State::of(request)?;
    let head = Head::of(request);
    let tokens = head.cookie_tokens(state)?;
    let signed_in = state.refresh(&tokens.unverified_refresh).await?;
    Ok(state.service.authenticate(signed_in.token.expose_token()).await?)
}

macro_rules! security_extractor {
    ($extractor:ident) => {
        impl<'a> ApiExtractor<'a> for $extractor {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                registry.create_security_scheme(SCHEME, bearer_scheme());
                registry.create_security_scheme(cookie::SCHEME, cookie::scheme());
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![SCHEME, cookie::SCHEME]
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                let bearer = $extractor::of(request).await?;
                refuse_wrong_parameters(request).map_err(ApiError::from)?;
                Ok(bearer)
            }
        }
    };
}

security_extractor!(Bearer);
security_extractor!(LoginBearer);
security_extractor!(AnyBearer);
security_extractor!(AdminBearer);
security_extractor!(LoginAdminBearer);
security_extractor!(FollowerBearer);
security_extractor!(LogoutBearer);

fn bearer_scheme() -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "http",
        description: Some(
            "The token that register and login answer with in `Authorization`, sent as `Authorization: Bearer <token>`. Paste the \
             token alone: the word `Bearer` is put before it.",
        ),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: Some("JWT"),
        flows: None,
        openid_connect_url: None,
    }
}
