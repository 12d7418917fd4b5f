//! The forms that the pages post.

use auth_http::{Code, ErrorAnswer};
use poem::http::HeaderMap;
use poem::{Body, Request};
use zeroize::Zeroizing;

use crate::http::error::ApiError;
use crate::http::form::form_bytes;

/// The fields of a form. Fields that no page has are ignored.
#[derive(Default)]
pub(super) struct Form {
    /// The one-time token.
    pub(super) token: Zeroizing<String>,
    /// The new password.
    pub(super) password: Zeroizing<String>,
    /// True if the password is visible in the page that posts.
    pub(super) shown: bool,
    /// The button that shows or hides the password, if it was pressed: true to show it.
    pub(super) show: Option<bool>,
}

impl Form {
    /// Reads the form of a request that one of our pages has sent.
    ///
    /// # Errors
    ///
    /// [`Code::Csrf`] if a page of another site has sent it, [`Code::UnsupportedMediaType`] if it is no form or is compressed,
    /// [`Code::MalformedRequest`] if a field is repeated, and the errors of reading a body.
    pub(super) async fn read(request: &Request, body: Body) -> Result<Self, ApiError> {
        check_sender(request.headers())?;
        Self::parse(&form_bytes(request, body).await?).map_err(ApiError::from)
    }

    fn parse(bytes: &[u8]) -> Result<Self, ErrorAnswer> {
        let mut form = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let value = Zeroizing::new(value.into_owned());
            match &*name {
                "token" => form.token = value,
                "password" => form.password = value,
                "shown" => form.shown = *value == "yes",
                "show" => form.show = Some(*value == "yes"),
                _ => continue,
            }
            if seen.contains(&name) {
                return Err(ErrorAnswer::malformed("A field of the form is repeated."));
            }
            seen.push(name);
        }
        Ok(form)
    }
}

/// Refuses what a page of another site sends. The token alone gives the authority; this check keeps a page that somehow has one
/// from pressing the button in the place of its owner.
fn check_sender(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.get_all("sec-fetch-site").iter().any(|site| site == "cross-site") {
        return Err(Code::Csrf.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_unknown_fields_are_ignored() {
        let form = Form::parse(b"token=rao_x&password=a%20b%2B+c&show=yes&other=1&other=2").unwrap();
        assert_eq!((form.token.as_str(), form.password.as_str()), ("rao_x", "a b+ c"));
        assert_eq!((form.shown, form.show), (false, Some(true)));
        let form = Form::parse(b"shown=yes&show=no").unwrap();
        assert_eq!((form.token.as_str(), form.shown, form.show), ("", true, Some(false)));
    }

    #[test]
    fn a_repeated_field_is_refused() {
        for repeated in ["token=a&token=a", "password=a&x=&password=b"] {
            assert_eq!(Form::parse(repeated.as_bytes()).err().unwrap().code(), Code::MalformedRequest, "{repeated}");
        }
    }
}
