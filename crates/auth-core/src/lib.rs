#![doc = include_str!("../README.md")]

pub mod blacklist;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod email;
mod error;
pub mod gate;
pub mod memory;
pub mod password;
mod principal;
pub mod service;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod throttle;
pub mod token;
mod user;
mod username;
mod verifier;

pub use blacklist::{Blacklist, Revocation, RevocationLog};
pub use clock::{Clock, ManualClock, SystemClock};
pub use email::{Email, EmailError, MAX_EMAIL_BYTES};
pub use error::{
    AccountError, AuthenticateError, BoxError, ChangePasswordError, LoginError, NoRandomness, RegisterError,
    StoreError, StoreErrorKind,
};
#[cfg(feature = "argon2")]
pub use password::{Argon2Hasher, Argon2Params};
pub use password::{
    Batch, BatchKey, BatchResults, BcryptHasher, HashError, Password, PasswordError, PasswordHash, PasswordHasher,
    PasswordPolicy, PasswordPool, PasswordSchemes, PoolError, PoolOptions, Scheme, Verdict, Work,
};
pub use principal::Principal;
pub use service::{AuthService, AuthServiceBuilder, Session};
pub use throttle::{AttemptStore, ClientNetwork, Throttle, ThrottleLimits};
#[cfg(feature = "jwt")]
pub use token::jwt::{JwtCodec, SigningKey, VerifyingKey};
pub use token::{AccessToken, Claims, InvalidToken, LEEWAY, MAX_CLOCK_SKEW, MAX_TOKEN_LIFE, TokenCodec, TokenId};
pub use user::{
    Credentials, Generation, InsertUserError, NewAccount, NewUser, StoredCredentials, User, UserChange, UserId,
    UserStore,
};
pub use username::{MAX_USERNAME_CHARS, Username, UsernameError};
pub use verifier::{Check, TokenVerifier, UnsettledCheck};

/// Whether this crate was built with the feature `test-util`, which mints tokens for anybody. A program that goes into
/// production can refuse to compile with it: `const _: () = assert!(cfg!(debug_assertions) || !auth_core::TEST_UTIL);`
pub const TEST_UTIL: bool = cfg!(feature = "test-util");
