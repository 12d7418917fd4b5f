//! Request bodies that are forms (URL standard §5.1): those of the pages and of OAuth.

use auth_http::{MAX_BODY_BYTES, declared_as_form};
use poem::error::ReadBodyError;
use poem::http::{HeaderValue, header};
use poem::{Body, Request};
use zeroize::Zeroizing;

use super::error::ApiError;
use super::request_body::bytes_of;

/// Reads the bytes of a form. They are erased from memory afterwards.
///
/// # Errors
///
/// The body is not [declared as a form](declared_as_form), is too large, or cannot be read.
pub(crate) async fn form_bytes(request: &Request, body: Body) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    // The length is checked first, as for JSON.
    let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(ApiError::of_framework(ReadBodyError::PayloadTooLarge.into()));
    }
    let values = |name| request.headers().get_all(name).iter().map(HeaderValue::as_bytes);
    declared_as_form(values(header::CONTENT_TYPE), values(header::CONTENT_ENCODING))?;
    let bytes = bytes_of(body).await.map_err(ApiError::of_framework)?;
    // Takes the buffer over if nothing else refers to it, so that it is zeroized; copies it otherwise.
    Ok(Zeroizing::new(Vec::from(bytes)))
}
