//! Cross-origin requests of browsers: which pages of other origins may read answers (the CORS protocol of the Fetch standard).
//!
//! The framework's own middleware is not used. It refuses every request whose `Origin` is not in its list, those of the server's own
//! pages included, and leaves out `Vary` where it must not.

use auth_http::AllowedOrigins;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

/// Request headers that a page may set besides those that need no permission.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, X-CSRF-Token, X-Request-Id");

/// Response headers that a page may read besides those that need no permission.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("Retry-After, WWW-Authenticate, X-Request-Id");

/// Number of seconds for which a browser may remember a permission. Chromium remembers none for longer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The permissions of pages of other origins.
pub(crate) struct Cors {
    /// The allowed origins, as browsers write them.
    origins: Vec<HeaderValue>,
    /// The methods that a page may use.
    methods: HeaderValue,
    /// Paths below this one are not answered here, because a gateway takes every 2xx there for its permission.
    gateway_path: &'static str,
}

impl Cors {
    /// Returns the permissions of pages of these origins, or `None` if there are none.
    pub(crate) fn new<'m>(
        origins: &AllowedOrigins,
        methods: impl IntoIterator<Item = &'m Method>,
        gateway_path: &'static str,
    ) -> Option<Self> {
        let origins: Vec<_> =
            origins.iter().filter_map(|origin| HeaderValue::try_from(origin.to_string()).ok()).collect();
        if origins.is_empty() {
            return None;
        }
        let mut methods: Vec<_> = methods.into_iter().map(Method::as_str).collect();
        methods.sort_unstable();
        methods.dedup();
        let methods = HeaderValue::try_from(methods.join(", ")).unwrap_or(HeaderValue::from_static(""));
        Some(Self { origins, methods, gateway_path })
    }

    /// Returns the origin that a request names, if it is allowed.
    pub(crate) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        match (named.next(), named.next()) {
            (Some(origin), None) => self.origins.iter().find(|allowed| *allowed == origin).cloned(),
            _ => None,
        }
    }

    /// Answers the question of a browser whether a page of an allowed origin may make a request (a preflight). Returns `None` for every
    /// other request.
    pub(crate) fn answer_preflight(&self, request: &Request) -> Option<Response> {
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && self.allowed_origin(request.headers()).is_some();
        let below = request.uri().path().strip_prefix(self.gateway_path).is_some_and(|rest| rest.starts_with('/'));
        if !is_preflight || below {
            return None;
        }
        let response = Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone())
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
            .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(response.finish())
    }

    /// Adds the permission to read a response, if the origin of its request is allowed. Called for every response while CORS is on.
    pub(crate) fn complete(allowed_origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        // Responses differ by origin, also where there is none.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = allowed_origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}
