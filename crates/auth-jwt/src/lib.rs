#![doc = include_str!("../README.md")]

mod cache;
mod codec;
mod jwks;
mod key_form;
mod keys;
mod managed;
mod master_key;
mod rotating;
mod wire;

pub use cache::{CacheStats, MAX_CACHED_TOKENS};
pub use codec::{DEFAULT_CACHED_TOKENS, JwtCodec};
pub use jwks::{JWKS_MEDIA_TYPE, Jwks};
pub use key_form::KeyForm;
pub use keys::{KeyError, MAX_JWKS_BYTES, MIN_RSA_BITS, MIN_SECRET_BYTES, PrivateKey, SigningKey, VerifyingKey};
pub use managed::{KeyChange, KeyEvent, KeyStats, ManagedKeys, ManagedKeysError, ManagedKeysOptions, Sleep};
pub use master_key::{MasterKey, MasterKeyError, MasterKeyId, MasterKeys, SealError};
pub use rotating::RotatingCodec;
pub use wire::TOKEN_TYPE;
