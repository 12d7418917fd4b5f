//! The `Authorization` header of RFC 6750 §2.1, read strictly.

use crate::refusal::RefusalKind;

/// The token in a request's `Authorization` headers, whose values are given as bytes. It is not looked at any further.
///
/// - No header, an empty one, or the scheme `Bearer` with nothing after it: the token is missing.
/// - Another scheme, more than one word after the scheme, more than one header, or bytes that no token has: what was
///   sent is no token of ours.
///
/// The scheme is read without regard to case (RFC 9110 §11.1). Blanks are spaces and tabs.
///
/// # Errors
///
/// [`RefusalKind::TokenMissing`] or [`RefusalKind::TokenInvalid`].
pub fn unverified_token<'h>(authorization: impl IntoIterator<Item = &'h [u8]>) -> Result<&'h str, RefusalKind> {
    let mut values = authorization.into_iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(RefusalKind::TokenMissing),
        (Some(value), None) => visible_ascii(value).ok_or(RefusalKind::TokenInvalid)?,
        (Some(_), Some(_)) => return Err(RefusalKind::TokenInvalid),
    };
    let value = value.trim_matches(BLANKS);
    let (scheme, rest) = value.split_once(BLANKS).unwrap_or((value, ""));
    let token = rest.trim_start_matches(BLANKS);
    if !scheme.is_empty() && !scheme.eq_ignore_ascii_case("bearer") {
        return Err(RefusalKind::TokenInvalid);
    }
    match token {
        "" => Err(RefusalKind::TokenMissing),
        _ if has(token.as_bytes(), |byte| byte == b' ' || byte == b'\t') => Err(RefusalKind::TokenInvalid),
        _ => Ok(token),
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn visible_ascii(value: &[u8]) -> Option<&str> {
    let invisible = |byte| byte != b'\t' && !(b' '..=b'~').contains(&byte);
    if has(value, invisible) { None } else { str::from_utf8(value).ok() }
}

/// Whether any byte is such a one. All are looked at, and what is found is kept in a byte, which lets the compiler look at
/// many at once: the header of a token has hundreds, and every request brings one.
fn has(bytes: &[u8], such: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |found, byte| found | u8::from(such(*byte))) != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'h>(values: &[&'h [u8]]) -> Result<&'h str, RefusalKind> {
        unverified_token(values.iter().copied())
    }

    #[test]
    fn the_scheme_is_read_without_regard_to_case() {
        for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c ", "\tBearer\ta.b.c"] {
            assert_eq!(read(&[header.as_bytes()]), Ok("a.b.c"), "{header:?}");
        }
    }

    #[test]
    fn a_header_without_a_token_is_no_token() {
        assert_eq!(read(&[]), Err(RefusalKind::TokenMissing));
        for header in ["", " ", "\t", "Bearer", "bearer ", "Bearer \t "] {
            assert_eq!(read(&[header.as_bytes()]), Err(RefusalKind::TokenMissing), "{header:?}");
        }
    }

    #[test]
    fn anything_else_is_an_invalid_token() {
        for header in ["a.b.c", "Basic dTpw", "Basic", "Bearer a b", "Bearera.b.c", "Token a.b.c", "Bearer: a.b.c x"] {
            assert_eq!(read(&[header.as_bytes()]), Err(RefusalKind::TokenInvalid), "{header:?}");
        }
        assert_eq!(read(&["Bearer \u{fc}".as_bytes()]), Err(RefusalKind::TokenInvalid));
        assert_eq!(read(&[b"Bearer \xff\xfe"]), Err(RefusalKind::TokenInvalid));
        assert_eq!(read(&[b"Bearer a\0b"]), Err(RefusalKind::TokenInvalid));
        assert_eq!(read(&[b"Bearer a.b.c", b"Bearer a.b.c"]), Err(RefusalKind::TokenInvalid));
        assert_eq!(read(&[b"", b"Bearer a.b.c"]), Err(RefusalKind::TokenInvalid));
    }

    proptest! {
        #[test]
        fn what_is_read_is_one_word_of_the_header(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(token) = read(&[&bytes]) {
                prop_assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(bytes.trim_ascii_end().ends_with(token.as_bytes()));
            }
        }

        #[test]
        fn every_word_after_the_scheme_is_read_as_it_is(word in "[!-~]{1,80}", blank in "[ \t]{1,4}") {
            let header = format!("bEARER{blank}{word}");
            prop_assert_eq!(read(&[header.as_bytes()]), Ok(word.as_str()));
        }
    }
}
