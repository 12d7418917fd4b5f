//! Media type and content coding of a request body (RFC 9110 §8.3, §8.4).

use mediatype::names::{APPLICATION, CHARSET, JSON};
use mediatype::{MediaType, Value};

use crate::code::Code;
use crate::error_answer::ErrorAnswer;

/// Checks that the body is declared as JSON in UTF-8 (RFC 8259 §8.1) without a content coding, by the values of the
/// `Content-Type` and the `Content-Encoding` fields.
///
/// # Errors
///
/// [`Code::MalformedRequest`] if there are several `Content-Type` fields, because a proxy may read another one than this
/// server; [`Code::UnsupportedMediaType`] if the body has another type or is compressed.
pub fn declared_as_json<'h>(
    content_type: impl IntoIterator<Item = &'h [u8]>,
    content_encoding: impl IntoIterator<Item = &'h [u8]>,
) -> Result<(), ErrorAnswer> {
    declared(content_type, content_encoding, is_json, || Code::UnsupportedMediaType.into())
}

/// Checks that the body is declared as a form (`application/x-www-form-urlencoded`) without a content coding, by the values of the
/// `Content-Type` and the `Content-Encoding` fields.
///
/// # Errors
///
/// Those of [`declared_as_json`].
pub fn declared_as_form<'h>(
    content_type: impl IntoIterator<Item = &'h [u8]>,
    content_encoding: impl IntoIterator<Item = &'h [u8]>,
) -> Result<(), ErrorAnswer> {
    declared(content_type, content_encoding, is_form, ErrorAnswer::form_expected)
}

fn declared<'h>(
    content_type: impl IntoIterator<Item = &'h [u8]>,
    content_encoding: impl IntoIterator<Item = &'h [u8]>,
    is_expected: impl FnOnce(&str) -> bool,
    another_type: impl FnOnce() -> ErrorAnswer,
) -> Result<(), ErrorAnswer> {
    let mut types = content_type.into_iter();
    let content_type = match (types.next(), types.next()) {
        (Some(_), Some(_)) => {
            return Err(ErrorAnswer::malformed("The request has more than one Content-Type header."));
        }
        (content_type, _) => content_type.and_then(|value| str::from_utf8(value).ok()),
    };
    if !content_type.is_some_and(is_expected) {
        return Err(another_type());
    }
    if !content_encoding.into_iter().all(is_identity) {
        return Err(ErrorAnswer::content_coding());
    }
    Ok(())
}

/// Returns whether the media type is `application/json`, or a type with the suffix `+json` (RFC 6839 §3.1), in UTF-8.
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let Ok(parsed) = MediaType::parse(content_type) else { return false };
    let is_json = parsed.ty == APPLICATION && parsed.suffix.unwrap_or(parsed.subty) == JSON;
    let mut charsets = parsed.params.iter().filter(|(name, _)| *name == CHARSET).map(|(_, charset)| charset);
    is_json && charsets.next().is_none_or(is_utf_8) && charsets.next().is_none()
}

/// Returns whether the media type is that of a form, which has no parameters of its own (URL standard §5).
fn is_form(content_type: &str) -> bool {
    let (essence, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn is_utf_8(charset: &Value<'_>) -> bool {
    charset.unquoted_str().eq_ignore_ascii_case("utf-8")
}

/// Accepts `identity`, which means no coding, although clients should not send it (RFC 9110 §8.4.1).
fn is_identity(coding: &[u8]) -> bool {
    coding.trim_ascii().eq_ignore_ascii_case(b"identity")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_and_types_with_the_suffix_json_are_accepted_and_others_are_not() {
        for good in [
            "application/json",
            "application/json; charset=utf-8",
            "application/json ; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json\t;\tcharset=Utf-8",
            "application/json;",
            "application/json; profile=\"a;b\"",
            "APPLICATION/JSON",
            "application/a+json",
            "application/vnd.api+json; charset=utf-8",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "json",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/json+x",
            "application/json+",
            "application/+json",
            "application/json/x",
            "application/json x",
            "application/json, application/json",
            "application/json, text/plain",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json; charset=utf-8; CHARSET=utf-8",
            "application/json; charset=\"utf-8",
            "application/json; charset",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    fn code(fields: &[(&str, &str)]) -> Option<Code> {
        let values = |wanted: &'static str| {
            fields.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| value.as_bytes())
        };
        declared_as_json(values("content-type"), values("content-encoding")).err().map(|error| error.code())
    }

    #[test]
    fn a_body_has_one_type_and_no_coding() {
        let json = ("content-type", "application/json");
        assert_eq!(code(&[json]), None);
        assert_eq!(code(&[]), Some(Code::UnsupportedMediaType));
        assert_eq!(code(&[json, json]), Some(Code::MalformedRequest));
        for (coding, refused) in [
            ("identity", false),
            ("Identity", false),
            ("gzip", true),
            ("br", true),
            ("identity, gzip", true),
            ("", true),
            ("utf-8", true),
        ] {
            let expected = refused.then_some(Code::UnsupportedMediaType);
            assert_eq!(code(&[json, ("content-encoding", coding)]), expected, "{coding}");
        }
        let coded = [json, ("content-encoding", "identity"), ("content-encoding", "gzip")];
        assert_eq!(code(&coded), Some(Code::UnsupportedMediaType));
    }

    #[test]
    fn a_form_is_refused_as_json_is_with_its_own_media_type_in_the_message() {
        let message = |content_types: &[&str], coding: Option<&str>| {
            let values = content_types.iter().map(|value| value.as_bytes());
            let refused = declared_as_form(values, coding.map(str::as_bytes)).err()?;
            let body: serde_json::Value = serde_json::from_str(&refused.json()).unwrap();
            Some((refused.code(), body["message"].as_str().unwrap().to_owned()))
        };
        let form = "application/x-www-form-urlencoded";
        for good in [form, "Application/X-WWW-Form-Urlencoded ; charset=UTF-8"] {
            assert_eq!(message(&[good], None), None);
            assert_eq!(message(&[good], Some("identity")), None);
        }
        let expected = "The body must be sent as application/x-www-form-urlencoded.".to_owned();
        for bad in [&[][..], &["application/json"], &["multipart/form-data"], &["application/x-www-form-urlencodedx"]] {
            assert_eq!(message(bad, None), Some((Code::UnsupportedMediaType, expected.clone())), "{bad:?}");
        }
        let expected = "The body must be sent without a Content-Encoding.".to_owned();
        assert_eq!(message(&[form], Some("gzip")), Some((Code::UnsupportedMediaType, expected)));
        assert_eq!(message(&[form, form], None).unwrap().0, Code::MalformedRequest);
    }

    proptest! {
        #[test]
        fn no_value_makes_the_parser_panic(value in "\\PC{0,300}|application/json[ -~]{0,40}|[a-z]{100,300}/[a-z+]{100,300}") {
            let _ = is_json(&value);
        }
    }
}
