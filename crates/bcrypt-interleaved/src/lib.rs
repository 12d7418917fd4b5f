#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batch;
mod encoding;
mod error;
mod hash;
mod kernel;
mod tables;

pub use crate::batch::{Job, hash_batch, hash_batch_pausing, hash_many, verify_batch, verify_many};
pub use crate::error::{Error, ParseHashError};
pub use crate::hash::Hash;

/// Maximum length of a password, in bytes. bcrypt's key schedule takes in 18 words of 32 bits (Provos and Mazières, "A
/// Future-Adaptable Password Scheme", USENIX 1999, §4). A longer password is an [`Error`], never truncated.
pub const MAX_PASSWORD_LEN: usize = 72;

/// Lowest cost that implementations of bcrypt allow: 2⁴ iterations.
pub const MIN_COST: u32 = 4;

/// Highest cost that bcrypt allows: 2³¹ iterations, which takes more than a day. Accept only costs well below it.
pub const MAX_COST: u32 = 31;

/// Maximum number of passwords that one call computes side by side.
pub const MAX_LANES: usize = 4;

/// Salt of 16 bytes. Take it from the operating system's random generator, fresh for every new hash.
pub type Salt = [u8; 16];

/// Result of bcrypt: 23 bytes, one fewer than the cipher gives, as in every implementation since the first.
pub type Digest = [u8; 23];
