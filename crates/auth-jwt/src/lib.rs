#![doc = include_str!("../README.md")]

mod cache;
mod codec;
mod jwks;
mod key_form;
mod keys;
mod wire;

pub use cache::{CacheStats, MAX_CACHED_TOKENS};
pub use codec::{DEFAULT_CACHED_TOKENS, JwtCodec};
pub use jwks::{JWKS_MEDIA_TYPE, Jwks};
pub use key_form::KeyForm;
pub use keys::{KeyError, MIN_RSA_BITS, MIN_SECRET_BYTES, SigningKey, VerifyingKey};
pub use wire::TOKEN_TYPE;
