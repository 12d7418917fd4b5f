//! Tokens as text.

use auth_core::TokenCodec;
use auth_jwt::{JwtCodec, SigningKey};
use proptest::prelude::*;

use crate::mutation::{corpus, fuzz};

pub(crate) const SECRET: &[u8; 32] = b"the secret of the fuzz targets :";
pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";

/// A codec without a cache, so that every input goes all the way.
pub(crate) fn codec() -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(SECRET).unwrap(), ISSUER, AUDIENCE).with_cached_tokens(0)
}

#[test]
fn no_text_but_a_token_that_was_issued_is_accepted() {
    let codec = codec();
    let issued: Vec<Vec<u8>> =
        corpus("token").into_iter().filter(|token| codec.decode(str::from_utf8(token).unwrap()).is_ok()).collect();
    assert!(issued.len() >= 2, "the corpus has tokens that are accepted");
    let words = [".", "=", "-", "_", "+", "/", "eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9", "\u{0}"];
    fuzz("token", &words, |input| {
        let Ok(text) = str::from_utf8(input) else { return Ok(()) };
        prop_assert_eq!(codec.decode(text).is_ok(), issued.iter().any(|token| token == input));
        Ok(())
    });
}
