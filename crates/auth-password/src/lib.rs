#![doc = include_str!("../README.md")]

#[cfg(feature = "argon2")]
pub mod argon2;
pub mod bcrypt;
pub mod pool;
mod random;
mod schemes;

#[cfg(feature = "argon2")]
pub use argon2::{Argon2Hasher, Argon2Params};
pub use bcrypt::BcryptHasher;
pub use pool::{PasswordPool, PoolOptions, PoolStats, PriorityOutcome, ThreadPriority, WaitStats};
pub use schemes::{HashWork, PasswordSchemes, Scheme};
