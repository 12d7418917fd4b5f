//! Decoding of a token: with a cache miss, with a cache hit, and with `jsonwebtoken::decode` for comparison.
//!
//! `cargo bench -p auth-jwt --bench codec`

use std::time::Duration;

use auth_core::{Claims, Generation, TokenCodec as _, TokenId, UserId};
use auth_jwt::{JwtCodec, SigningKey};
use divan::{Bencher, black_box};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use time::OffsetDateTime;

const SECRET: [u8; 32] = [7; 32];

fn main() {
    divan::main();
}

fn codec() -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(&SECRET).expect("a good secret"), "issuer", "audience")
}

fn claims() -> Claims {
    let issued_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Claims {
        user_id: UserId::generate(issued_at).expect("randomness"),
        token_id: TokenId::generate().expect("randomness"),
        session_id: None,
        issued_at,
        expires_at: issued_at + Duration::from_secs(3_600),
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    }
}

fn token() -> String {
    codec().encode(&claims()).expect("a token").expose_token().to_owned()
}

#[divan::bench]
fn sign(bencher: Bencher<'_, '_>) {
    let (codec, claims) = (codec(), claims());
    bencher.bench(|| codec.encode(black_box(&claims)));
}

/// Decodes one token again and again. With zero entries every decoding is a cache miss.
#[divan::bench(args = [0, 1_024])]
fn decode_with_cached_tokens(bencher: Bencher<'_, '_>, entries: usize) {
    let (codec, token) = (codec().with_cached_tokens(entries), token());
    bencher.bench(|| codec.decode(black_box(&token)));
}

#[divan::bench]
fn jsonwebtoken_decode(bencher: Bencher<'_, '_>) {
    let (key, token) = (DecodingKey::from_secret(&SECRET), token());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_issuer(&["issuer"]);
    validation.set_audience(&["audience"]);
    bencher.bench(|| jsonwebtoken::decode::<serde_json::Value>(black_box(&token), &key, &validation).is_ok());
}
