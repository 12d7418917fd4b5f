//! Request bodies that are forms (URL standard §5.1): those of the pages and of OAuth.

use auth_http::{Code, MAX_BODY_BYTES};
use poem::error::ReadBodyError;
use poem::http::header;
use poem::{Body, Request};
use zeroize::Zeroizing;

use super::error::ApiError;
use super::request_body::bytes_of;

/// Media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// Reads the bytes of a form. They are erased from memory afterwards.
///
/// # Errors
///
/// [`Code::UnsupportedMediaType`] if the body is not declared as a form, or is compressed, [`Code::PayloadTooLarge`], and the other
/// errors of reading a body.
pub(crate) async fn form_bytes(request: &Request, body: Body) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    // The length is checked first, as for JSON.
    let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(ApiError::of_framework(ReadBodyError::PayloadTooLarge.into()));
    }
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let is_form = types.next().and_then(|declared| declared.to_str().ok()).is_some_and(|declared| {
        let (essence, _) = declared.split_once(';').unwrap_or((declared, ""));
        essence.trim().eq_ignore_ascii_case(FORM)
    });
    if !is_form || types.next().is_some() || request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(Code::UnsupportedMediaType.into());
    }
    let bytes = bytes_of(body).await.map_err(ApiError::of_framework)?;
    // Takes the buffer over if nothing else refers to it, so that it is zeroized; copies it otherwise.
    Ok(Zeroizing::new(Vec::from(bytes)))
}
