//! Responses that a cache may keep, and that are not sent again to those who have them (RFC 9110 §13.1.2, RFC 9111).

use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
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
        if is_known(request.headers(), self.entity_tag) {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
        response.content_type(self.content_type).body(self.body.to_owned())
    }
}

/// Returns whether `If-None-Match` names this entity tag. The comparison is weak (RFC 9110 §8.8.3.2), so that a proxy that compressed
/// the document may have made the tag weak.
pub(crate) fn is_known(headers: &HeaderMap, entity_tag: &str) -> bool {
    let entity_tag = opaque(entity_tag);
    members(headers, header::IF_NONE_MATCH).any(|tag| tag == "*" || opaque(tag) == entity_tag)
}

/// Returns an entity tag without the mark of a weak one.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Returns whether `Cache-Control` accepts no answer that a cache has kept (RFC 9111 §5.2.1.4).
pub(crate) fn accepts_no_kept_answer(headers: &HeaderMap) -> bool {
    members(headers, header::CACHE_CONTROL).any(|directive| directive.eq_ignore_ascii_case("no-cache"))
}

/// Returns the members of a list (RFC 9110 §5.6.1). No member that is looked for here has a comma.
fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_recognized_by_its_tag_however_it_is_listed() {
        let is_listed = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            }
            is_known(&headers, r#""a""#)
        };
        for values in [&[r#""a""#][..], &[r#"W/"a""#], &[r#""b", "a""#], &[r#""b""#, r#""a""#], &["*"]] {
            assert!(is_listed(values), "{values:?}");
        }
        for values in [&[][..], &[r#""b""#], &["a"], &[r#""ab""#], &[""]] {
            assert!(!is_listed(values), "{values:?}");
        }
    }
}
