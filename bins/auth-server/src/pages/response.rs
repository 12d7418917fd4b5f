//! The responses that carry pages.

use std::sync::LazyLock;

use auth_core::PasswordError;
use auth_http::{Code, ErrorAnswer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::Response;
use poem::http::{HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};

use super::flow::Flow;
use super::texts::Texts;
use super::view::{self, Problem, STYLE};
use crate::http::error::ApiError;

const HTML: &str = "text/html; charset=utf-8";

/// The content security policy of the pages. It permits their style sheet by its digest and their own forms, and nothing else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; form-action 'self'"))
});

/// Returns the response with a page in the language of `texts`.
pub(super) fn page(texts: &Texts, html: askama::Result<String>) -> Result<Response, ApiError> {
    let html = html.map_err(ApiError::internal)?;
    Ok(complete(texts, Response::builder().content_type(HTML).body(html)))
}

/// Returns the page with the form for a new password again, after a password that broke a rule.
pub(super) fn refused_password(
    texts: &Texts,
    html: askama::Result<String>,
    rule: PasswordError,
) -> Result<Response, ApiError> {
    let html = html.map_err(ApiError::internal)?;
    Ok(complete(texts, ApiError::from(ErrorAnswer::field("password", rule)).response_with(HTML, html)))
}

/// Returns the page for an error.
pub(super) fn problem(flow: Flow, texts: &'static Texts, error: &ApiError) -> Response {
    match view::problem(flow, texts, kind(error)) {
        Ok(html) => complete(texts, error.response_with(HTML, html)),
        Err(fault) => complete(texts, ApiError::internal(fault).response_with(HTML, String::new())),
    }
}

/// Returns what a reader is told about an error.
fn kind(error: &ApiError) -> Problem {
    match error.code() {
        Code::CodeInvalid => Problem::Stale,
        Code::UserExists => Problem::Taken,
        Code::TooManyAttempts => Problem::Throttled(error.retry_after().unwrap_or_default()),
        Code::Overloaded | Code::Unavailable => Problem::Unavailable,
        Code::Csrf => Problem::Foreign,
        Code::ValidationFailed
        | Code::MalformedRequest
        | Code::RequestTimeout
        | Code::UnsupportedMediaType
        | Code::PayloadTooLarge => Problem::Malformed,
        _ => Problem::Failed,
    }
}

/// Adds the header fields of every page. The envelope adds `Cache-Control` and `X-Content-Type-Options`.
fn complete(texts: &Texts, mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_LANGUAGE, texts.language),
        (header::VARY, "Accept-Language"),
        // The address of a page has the token in its query.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::{LoginError, StoreError};

    use super::*;

    #[test]
    fn an_error_has_a_page_with_the_status_and_the_headers_of_the_api() {
        let texts = Texts::preferred(&poem::http::HeaderMap::new());
        let too_many = LoginError::TooManyAttempts { retry_after: Duration::from_secs(90) };
        for (error, kind_of_it, retry_after) in [
            (ApiError::from(Code::CodeInvalid), Problem::Stale, None),
            (ApiError::from(Code::UserExists), Problem::Taken, None),
            (ApiError::from(too_many), Problem::Throttled(Duration::from_secs(90)), Some("90")),
            (ApiError::from(Code::Csrf), Problem::Foreign, None),
            (ApiError::from(Code::PayloadTooLarge), Problem::Malformed, None),
            (ApiError::internal("host db7"), Problem::Failed, None),
        ] {
            assert_eq!(kind(&error), kind_of_it);
            let response = problem(Flow::VerifyEmail, texts, &error);
            assert_eq!(response.status().as_u16(), error.code().status());
            let header = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
            assert_eq!(header, retry_after, "{kind_of_it:?}");
        }
        assert_eq!(kind(&ApiError::from(StoreError::unavailable("db7"))), Problem::Unavailable);
    }

    #[test]
    fn the_policy_names_the_digest_of_the_style_sheet_as_the_pages_contain_it() {
        let html = view::done(Flow::VerifyEmail, Texts::preferred(&poem::http::HeaderMap::new()), "a@example.com");
        let html = html.unwrap();
        let (_, rest) = html.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let digest = STANDARD.encode(Sha256::digest(style));
        assert!(POLICY.to_str().unwrap().contains(&format!("style-src 'sha256-{digest}';")));
    }
}
