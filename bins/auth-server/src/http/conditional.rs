//! Responses that a cache may keep, and that are not sent again to those who have them (RFC 9110 §13.1.2, RFC 9111).

use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Request, Response};

/// A document that a cache may keep.
pub(crate) struct Document<'d> {
    pub(crate) content_type: &'static str,
    pub(crate) body: &'d str,
    /// Strong entity tag, with its quotation marks.
    pub(crate) entity_tag: &'d str,
    pub(crate) cache_control: HeaderValue,
}

impl Document<'_> {
    /// Returns the response with the document, or 304 if the request says that its sender has it.
    pub(crate) fn answer(self, request: &Request) -> Response {
        let response =
            Response::builder().header(header::CACHE_CONTROL, self.cache_control).header(header::ETAG, self.entity_tag);
        if has(request.headers(), self.entity_tag) {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
        response.content_type(self.content_type).body(self.body.to_owned())
    }
}

/// Returns whether `If-None-Match` names this entity tag. The comparison is weak (RFC 9110 §8.8.3.2), so that a proxy that compressed
/// the document may have made the tag weak.
fn has(headers: &HeaderMap, entity_tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
        // An entity tag of ours has no comma.
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == entity_tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_recognized_by_its_tag_however_it_is_listed() {
        let is_known = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            }
            has(&headers, r#""a""#)
        };
        for values in [&[r#""a""#][..], &[r#"W/"a""#], &[r#""b", "a""#], &[r#""b""#, r#""a""#], &["*"]] {
            assert!(is_known(values), "{values:?}");
        }
        for values in [&[][..], &[r#""b""#], &["a"], &[r#""ab""#], &[""]] {
            assert!(!is_known(values), "{values:?}");
        }
    }
}
