#![doc = include_str!("../README.md")]

pub mod blacklist;
mod clock;
mod email;
mod error;
mod ids;
pub mod memory;
pub mod password;
mod principal;
mod random;
pub mod service;
pub mod throttle;
pub mod token;
mod user;
mod username;
mod verifier;

pub use blacklist::{Blacklist, Revocation, RevocationLog};
pub use clock::{Clock, ManualClock, SystemClock};
pub use email::{Email, EmailError, MAX_EMAIL_BYTES};
pub use error::{BoxError, StoreError, StoreErrorKind};
pub use ids::{Generation, TokenId, UserId};
pub use password::{
    AsyncPasswordHasher, Batch, BatchKey, BatchResults, HashError, HashingError, Password, PasswordError, PasswordHash,
    PasswordHasher, PasswordPolicy, Pause, Verdict,
};
pub use principal::Principal;
pub use random::{NoRandomness, random_bytes};
pub use service::{
    AccountError, AuthService, AuthServiceBuilder, ChangePasswordError, LoginError, RegisterError, Session,
};
pub use throttle::{AttemptStore, ClientNetwork, Throttle, ThrottleLimits};
pub use token::{AccessToken, Claims, InvalidToken, LEEWAY, MAX_CLOCK_SKEW, MAX_TOKEN_LIFE, TokenCodec};
pub use user::{Credentials, InsertUserError, NewAccount, NewUser, StoredCredentials, User, UserChange, UserStore};
pub use username::{MAX_USERNAME_CHARS, Username, UsernameError};
pub use verifier::{AuthenticateError, Check, TokenVerifier, UnsettledCheck};
