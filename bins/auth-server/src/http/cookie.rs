//! The cookie of a session in the requests and responses of this server.

use auth_core::RefreshToken;
use auth_http::{Code, CookieTokens, ErrorAnswer, RequestHead};
use poem::http::uri::Authority;
use poem::http::{HeaderMap, HeaderValue, Method, Uri, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::error::ApiError;
use super::query::refuse_wrong_parameters;
use super::state::State;

/// Name of the security scheme in the OpenAPI document.
pub(super) const SCHEME: &str = "cookie";

/// The head of a request, as the framework and `hyper` know it.
#[derive(Clone, Copy)]
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
}

impl<'r> Head<'r> {
    pub(crate) fn of(request: &'r Request) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }

    /// Returns whether the request has an `Authorization` header. Then its cookie is not looked at.
    pub(crate) fn has_authorization(self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
    }

    /// Returns the tokens in the cookie of a request that a page sent which may act for the user.
    ///
    /// # Errors
    ///
    /// The cookie is missing or malformed, or the page may not act for the user.
    pub(crate) fn cookie_tokens(&self, state: &State) -> Result<CookieTokens<'_>, ApiError> {
        state.cookies.tokens(self).map_err(ApiError::from)
    }

    /// Returns the refresh token in the cookie, for a request that has none in its body.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`] without a cookie, [`Code::SessionEnded`] if it is malformed, and [`Code::Csrf`] if the page may not act
    /// for the user.
    pub(crate) fn refresh_token(&self, state: &State) -> Result<RefreshToken, ApiError> {
        let missing = || ErrorAnswer::field("refresh_token", "is a required property").into();
        if self.has_authorization() {
            return Err(missing());
        }
        match self.cookie_tokens(state) {
            Ok(tokens) => Ok(tokens.unverified_refresh),
            Err(error) if error.code() == Code::TokenMissing => Err(missing()),
            Err(error) if error.code() == Code::TokenInvalid => Err(Code::SessionEnded.into()),
            Err(error) => Err(error),
        }
    }

    /// Checks that no page of another site sent the request, which asks for the cookie.
    ///
    /// # Errors
    ///
    /// [`Code::Csrf`] if one did.
    pub(crate) fn check_login(&self, state: &State) -> Result<(), ApiError> {
        state.cookies.check_login(self).map_err(ApiError::from)
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn authority(&self) -> Option<&str> {
        self.uri.authority().map(Authority::as_str)
    }

    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes)
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// The refresh token of a request with a well-formed cookie and no `Authorization` header, whether or not its tokens are good.
pub(crate) struct CookieHolder(pub(crate) RefreshToken);

impl<'a> ApiExtractor<'a> for CookieHolder {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(SCHEME, scheme());
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let head = Head::of(request);
        if head.has_authorization() {
            return Err(ApiError::from(Code::TokenMissing).into());
        }
        let unverified_refresh = head.cookie_tokens(State::of(request)?)?.unverified_refresh;
        refuse_wrong_parameters(request).map_err(ApiError::from)?;
        Ok(Self(unverified_refresh))
    }
}

/// Returns the description of the cookie in the OpenAPI document.
pub(super) fn scheme() -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "apiKey",
        description: Some(
            "The cookie that register and login set with `session: cookie` (`auth` in the development profile). A request that \
             may change something needs the header `X-CSRF-Token` besides, with the `csrf_token` of that answer.",
        ),
        name: Some("__Host-auth"),
        key_in: Some("cookie"),
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    }
}
