// The program of the README needs the feature.
#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Authentication whose logout means it, put together with one builder.")]

mod builder;
mod error;
mod grants;
mod hashing;
mod keys;
mod running;
mod start;
mod tasks;

pub use builder::{
    DEFAULT_AUDIENCE, DEFAULT_ISSUER, DEFAULT_MAX_STALENESS, DEFAULT_POLL, KeyOptions, RevocableAuthBuilder,
};
pub use error::{StartError, StopError};
pub use hashing::DEFAULT_BCRYPT_COST;
pub use running::RevocableAuth;

pub use auth_blacklist::{SyncStats, SyncedBlacklist};
pub use auth_core::KeyAlgorithm;
pub use auth_core::letters::LetterOptions;
pub use auth_core::personal::{IssuedPersonalToken, NewPersonalToken, TokenName};
pub use auth_core::purge::PURGE_INTERVAL;
pub use auth_core::service::DEFAULT_TOKEN_LIFE;
pub use auth_core::{
    AccountError, AttemptStore, AuthService, AuthenticateError, Blacklist, BoxError, ChangePasswordError, Claims,
    ClaimsSource, ClientStore, Clock, Context, CreatePersonalTokenError, Credentials, Email, EmailError, ExtraClaims,
    ExtraClaimsError, GiveRoleError, Grants, IssuedToken, Language, Letter, LoginError, LoginOutcome, Mailer,
    NewAccount, Password, PasswordError, PasswordHash, PasswordHasher, PasswordPolicy, PersonalToken, PersonalTokenId,
    PersonalTokenStore, Principal, RefreshError, RefreshToken, RegisterError, RevocationLog, Role, Roles, Scope,
    Scopes, Session, SessionId, SessionKind, SessionOptions, SessionStore, SignedIn, StoreError, StoreErrorKind,
    SystemClock, Throttle, ThrottleLimits, TokenCodec, TokenKind, TokenVerifier, User, UserId, UserStore, Username,
    UsernameError,
};
pub use auth_jwt::{
    Jwks, JwtCodec, KeyError, ManagedKeys, ManagedKeysError, MasterKey, MasterKeys, SigningKey, VerifyingKey,
};
pub use auth_migrations::{MigrateError, Migrations, Part, Prefix, Schema};
#[cfg(feature = "argon2")]
pub use auth_password::{Argon2Hasher, Argon2Params};
pub use auth_password::{BcryptHasher, PasswordPool, PasswordSchemes, PoolOptions};
pub use auth_storage::{ConnectError, ConnectOptions, Database, DatabaseUrl};

/// Checks of tokens that another auth server issues, without its database: the crate `auth-follower`.
#[cfg(feature = "follow")]
pub use auth_follower as follow;
/// Letters: the crate `auth-mail`.
#[cfg(feature = "mail")]
pub use auth_mail as mail;

/// The service behind ready routes, and the proxies that may name a client.
#[cfg(any(feature = "axum", feature = "actix"))]
pub use auth_http::{ClientAddress, ErrorAnswer, Routes};

/// Middleware, extractors and routes for actix-web: the crate `auth-actix`.
#[cfg(feature = "actix")]
pub use auth_actix as actix;
/// Extractors and routes for axum: the module [`auth_tower::axum`].
#[cfg(feature = "axum")]
pub use auth_tower::axum;
#[cfg(feature = "axum")]
pub use auth_tower::{AuthLayer, Rejection};
