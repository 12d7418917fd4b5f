//! The `Authorization` header.

use auth_http::{RefusalKind, unverified_token};
use proptest::prelude::*;

use crate::mutation::fuzz;

#[test]
fn a_header_is_read_as_two_words_of_visible_characters_and_nothing_else() {
    let words = ["Bearer ", "bearer\t", "Basic ", "\n", "\t", " ", ",", "\u{7f}", "\u{e9}", "\r"];
    fuzz("header", &words, |input| {
        // Each line is the value of one header.
        let values: Vec<&[u8]> =
            if input.is_empty() { Vec::new() } else { input.split(|byte| *byte == b'\n').collect() };
        prop_assert_eq!(unverified_token(values.iter().copied()), expected(&values));
        Ok(())
    });
}

/// RFC 6750 §2.1 as two words: the scheme and the token.
fn expected<'h>(values: &[&'h [u8]]) -> Result<&'h str, RefusalKind> {
    let [value] = values else {
        return Err(if values.is_empty() { RefusalKind::TokenMissing } else { RefusalKind::TokenInvalid });
    };
    if !value.iter().all(|byte| byte.is_ascii_graphic() || b" \t".contains(byte)) {
        return Err(RefusalKind::TokenInvalid);
    }
    let words: Vec<&str> = str::from_utf8(value).unwrap().split_ascii_whitespace().collect();
    match words[..] {
        [scheme, ..] if !scheme.eq_ignore_ascii_case("bearer") => Err(RefusalKind::TokenInvalid),
        [] | [_] => Err(RefusalKind::TokenMissing),
        [_, token] => Ok(token),
        _ => Err(RefusalKind::TokenInvalid),
    }
}
