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
pub mod token;
mod user;
mod username;
mod verifier;

pub use blacklist::{Blacklist, Revocation, RevocationLog};
pub use clock::{Clock, ManualClock, SystemClock};
pub use email::{Email, EmailError, MAX_EMAIL_BYTES};
pub use error::{
    AccountError, AuthenticateError, BoxError, ChangePasswordError, LoginError, RegisterError, StoreError,
    StoreErrorKind,
};
#[cfg(feature = "argon2")]
pub use password::{Argon2Hasher, Argon2Params};
pub use password::{
    Batch, BatchKey, BatchResults, BcryptHasher, HashError, Password, PasswordError, PasswordHash, PasswordHasher,
    PasswordPolicy, PasswordPool, PasswordSchemes, PoolError, PoolOptions, Scheme, Verdict, Work,
};
pub use principal::Principal;
pub use service::{AuthService, AuthServiceBuilder, Session};
pub use token::jwt::{JwtCodec, SigningKey, VerifyingKey};
pub use token::{AccessToken, Claims, InvalidToken, LEEWAY, MAX_TOKEN_LIFE, TokenCodec, TokenId};
pub use user::{
    Credentials, Generation, InsertUserError, NewAccount, NewUser, StoredCredentials, User, UserChange, UserId,
    UserStore,
};
pub use username::{MAX_USERNAME_CHARS, Username, UsernameError};
pub use verifier::{Check, TokenVerifier, UnsettledCheck};
