#![doc = include_str!("../README.md")]

mod account;
mod batches;
pub mod blacklist;
mod claims_source;
pub mod clients;
mod clock;
mod context;
mod effects;
mod email;
mod error;
mod events;
mod grants;
mod ids;
mod join;
mod key_id;
pub mod keys;
pub mod letters;
mod login;
pub mod memory;
mod one_time;
mod one_time_store;
pub mod password;
pub mod personal;
mod principal;
pub mod purge;
mod random;
pub mod recovery;
mod rehash;
mod secret_text;
pub mod service;
pub mod session;
pub mod throttle;
pub mod token;
mod user;
mod username;
mod verifier;

pub use account::{
    AccountError, ChangeEmailError, ChangePasswordError, ClientError, CreatePersonalTokenError, CreatedClient,
    DeleteAccountError, Export, ExportedToken, GiveRoleError, MAX_CLIENT_LIFE, MAX_EXPORTED_SESSIONS,
    MAX_SECRET_OVERLAP, NewClient, RegisterError, RegisterOutcome, RenameError,
};
pub use blacklist::{Blacklist, Revocation, RevocationLog, RevocationSource};
pub use claims_source::ClaimsSource;
pub use clients::{Client, ClientSecret, ClientStore};
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::Context;
pub use email::{Email, EmailError, MAX_EMAIL_BYTES};
pub use error::{BoxError, StoreError, StoreErrorKind};
pub use grants::{
    ADMIN, ExtraClaims, ExtraClaimsError, Grants, MAX_EXTRA_CLAIMS_BYTES, MAX_NAMES, NameError, Role, Roles, Scope,
    Scopes, TokenKind,
};
pub use ids::{ClientId, Generation, MalformedClientId, PersonalTokenId, SessionId, TokenId, UserId};
pub use key_id::KeyId;
pub use keys::{KeyAlgorithm, KeySchedule, KeySet, KeyStore, ManagedKey};
pub use letters::{Language, Letter, LetterOptions, Mailer, Outbox};
pub use login::{
    AuthenticatedClient, ClientAuthError, ClientToken, ClientTokenError, FactorChallenge, IssuedRefreshToken,
    IssuedToken, LoginError, LoginOutcome, RefreshError, RevokeTokenError, SignedIn,
};
pub use password::{
    AsyncPasswordHasher, Batch, BatchKey, BatchResults, HashError, HashingError, Password, PasswordError, PasswordHash,
    PasswordHasher, PasswordPolicy, Pause, Verdict,
};
pub use personal::{PersonalToken, PersonalTokenStore, PersonalTokens};
pub use principal::Principal;
pub use random::{NoRandomness, random_bytes};
pub use recovery::{OneTimeCode, OneTimeProof, OneTimeToken, OneTimeTokenStore, RecoveryError, SideEffects};
pub use service::{AuthService, AuthServiceBuilder};
pub use session::{CsrfToken, RefreshToken, Session, SessionKind, SessionOptions, SessionStore};
pub use throttle::{AttemptStore, ClientNetwork, Throttle, ThrottleLimits};
pub use token::{AccessToken, Claims, InvalidToken, LEEWAY, MAX_CLOCK_SKEW, MAX_TOKEN_LIFE, TokenCodec};
pub use user::{
    ChangeUserError, Credentials, InsertUserError, NewAccount, NewUser, ProfileChange, StoredCredentials, User,
    UserChange, UserRevocation, UserStore,
};
pub use username::{MAX_USERNAME_CHARS, Username, UsernameError};
pub use verifier::{AuthenticateError, TokenCheck, TokenVerifier, UnsettledCheck};
