//! The id of a request, which its response and its log line carry.

use std::cell::RefCell;

use poem::http::{HeaderMap, HeaderValue};

/// Name of the header that carries the id, in requests and in responses.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// Largest length of an id that a client chose.
const MAX_REQUEST_ID: usize = 64;

/// Returns the id that the client sent, if it is short and consists of letters, digits, `.`, `_` and `-`; otherwise a new
/// random UUID.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let acceptable = |id: &&HeaderValue| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    headers.get(REQUEST_ID).filter(acceptable).cloned().unwrap_or_else(new_id)
}

fn new_id() -> HeaderValue {
    let random = RANDOMNESS.with_borrow_mut(Randomness::take);
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static("none"))
}

thread_local! {
    static RANDOMNESS: RefCell<Randomness> = const { RefCell::new(Randomness { bytes: [0; 512], left: 0 }) };
}

/// A buffer of random bytes, so that one system call serves 32 ids.
struct Randomness {
    bytes: [u8; 512],
    left: usize,
}

impl Randomness {
    fn take(&mut self) -> [u8; 16] {
        if self.left == 0 {
            // An id need not be unpredictable. If this fails the buffer keeps its old bytes.
            let _ = getrandom::fill(&mut self.bytes);
            self.left = self.bytes.len();
        }
        self.left -= 16;
        self.bytes[self.left..].first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use poem::Request;

    use super::*;

    #[test]
    fn the_id_of_a_client_is_kept_only_if_it_is_acceptable() {
        let with = |id: &str| request_id(Request::builder().header(REQUEST_ID, id).finish().headers());
        assert_eq!(with("abc-1.2_3"), "abc-1.2_3");
        for odd in ["", "a b", "a\tb", "<script>", &"a".repeat(65)] {
            assert_ne!(with(odd), odd);
            assert_eq!(with(odd).len(), 36);
        }
    }

    #[test]
    fn ids_differ_also_after_the_buffer_is_refilled() {
        let ids: std::collections::HashSet<_> = (0..200).map(|_| request_id(&HeaderMap::new())).collect();
        assert_eq!(ids.len(), 200);
    }
}
