//! Values to put into stores.

use std::time::Duration;

use time::OffsetDateTime;

use super::CheckError;
use auth_core::blacklist::{Position, RevocationReason, RevocationTarget};
use auth_core::{
    ChangeUserError, Claims, Email, Generation, InsertUserError, NewUser, PasswordHash, Revocation, RevocationLog,
    SideEffects, StoreError, StoreErrorKind, TokenId, User, UserId, UserRevocation, UserStore, Username,
};

/// An error that the check did not expect, chain and all.
pub(super) fn unexpected(error: impl std::error::Error) -> CheckError {
    let mut text = format!("an error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    CheckError::Broken(text)
}

/// The result of a change that sets no unique key.
pub(super) fn of_store<T>(result: Result<T, ChangeUserError>) -> Result<T, StoreError> {
    result.map_err(|error| match error {
        ChangeUserError::Store(error) => error,
        taken => StoreError::new(StoreErrorKind::Internal, taken),
    })
}

/// An instant that every database can store exactly.
pub(super) fn instant() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(super) fn email(text: &str) -> Result<Email, CheckError> {
    Email::parse(text).map_err(unexpected)
}

pub(super) fn username(text: &str) -> Result<Username, CheckError> {
    Username::parse(text).map_err(unexpected)
}

pub(super) fn some_id() -> Result<UserId, CheckError> {
    UserId::generate(instant()).map_err(unexpected)
}

pub(super) fn new_user(name: &str) -> Result<NewUser, CheckError> {
    Ok(NewUser {
        id: some_id()?,
        email: email(&format!("{name}@Example.org"))?,
        username: username(name)?,
        email_verified: false,
        password_hash: PasswordHash::new(format!("hash of {name}")),
        admin: false,
        registered_on: instant(),
    })
}

pub(super) async fn insert(users: &dyn UserStore, name: &str) -> Result<User, CheckError> {
    users.insert(new_user(name)?, SideEffects::default()).await.map_err(unexpected)
}

pub(super) fn claims_of(user: UserId, generation: Generation) -> Result<Claims, CheckError> {
    Ok(Claims {
        user_id: user,
        token_id: TokenId::generate().map_err(unexpected)?,
        session_id: None,
        issued_at: instant(),
        expires_at: instant() + Duration::from_secs(3600),
        generation,
        admin: false,
        key_id: None,
        grants: None,
    })
}

pub(super) fn some_claims() -> Result<Claims, CheckError> {
    claims_of(some_id()?, Generation::default())
}

pub(super) fn logout_of(claims: &Claims) -> Revocation {
    Revocation {
        target: RevocationTarget::Token(claims.token_id),
        expires_at: claims.expires_at,
        revoked_at: instant(),
        reason: RevocationReason::Logout,
    }
}

/// Logouts of `count` tokens that nobody else has.
pub(super) fn logouts(count: usize) -> Result<Vec<Revocation>, CheckError> {
    (0..count).map(|_| some_claims().map(|claims| logout_of(&claims))).collect()
}

pub(super) fn everywhere(id: UserId, below: Generation) -> Revocation {
    revoke_all().entry(id, below)
}

/// The data of [`everywhere`] for [`UserStore::change_and_revoke`].
pub(super) fn revoke_all() -> UserRevocation {
    UserRevocation {
        expires_at: instant() + Duration::from_secs(3600),
        revoked_at: instant(),
        reason: RevocationReason::LogoutEverywhere,
    }
}

/// Which field a refused insertion was told to be taken.
pub(super) fn taken(result: &Result<User, InsertUserError>) -> Option<&'static str> {
    match result {
        Err(InsertUserError::EmailTaken) => Some("email"),
        Err(InsertUserError::UsernameTaken) => Some("username"),
        _ => None,
    }
}

/// The whole log: its head and its entries.
pub(super) async fn whole(log: &dyn RevocationLog) -> Result<(Position, Vec<(Position, Revocation)>), CheckError> {
    let page = log.read_after(Position(0), 10_000).await.map_err(unexpected)?;
    Ok((page.head, page.entries.into_iter().map(|entry| (entry.position, entry.revocation)).collect()))
}

pub(super) async fn covers(log: &dyn RevocationLog, claims: &Claims) -> Result<bool, CheckError> {
    log.covers(claims).await.map_err(unexpected)
}
