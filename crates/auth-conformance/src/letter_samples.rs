//! One-time tokens and letters to put into stores.

use std::sync::Arc;
use std::time::Duration;

use auth_core::letters::{LeaseId, LetterId, LetterKind, LetterSecret};
use auth_core::recovery::{OneTimeTokenId, OneTimeTokenPurpose, Redemption, StoredOneTimeToken};
use auth_core::{
    Language, Letter, OneTimeCode, OneTimeToken, OneTimeTokenStore, Outbox, PasswordHash, SideEffects, UserId,
};
use time::OffsetDateTime;

use super::samples::{email, instant, unexpected, username};
use super::{Backend, CheckError, StoresUnderTest};

/// The time at which every sample token expires, in seconds.
pub(super) const EXPIRY: u64 = 1_000;

pub(super) fn at(seconds: u64) -> OffsetDateTime {
    instant() + Duration::from_secs(seconds)
}

/// The stores, and that of the one-time tokens over the same database.
pub(super) async fn with_tokens(
    backend: &dyn Backend,
) -> Result<(StoresUnderTest, Arc<dyn OneTimeTokenStore>), CheckError> {
    let stores = backend.open().await;
    let none = CheckError::NotTried("Backend::one_time_tokens says that there is no such store");
    Ok((stores, backend.one_time_tokens().await.ok_or(none)?))
}

/// The stores of one-time tokens and of letters, over one database.
pub(super) async fn with_outbox(
    backend: &dyn Backend,
) -> Result<(Arc<dyn OneTimeTokenStore>, Arc<dyn Outbox>), CheckError> {
    let (_, tokens) = with_tokens(backend).await?;
    let none = CheckError::NotTried("Backend::outbox says that there is no such store");
    Ok((tokens, backend.outbox().await.ok_or(none)?))
}

/// A token that was made at this second and sent to `ada@Example.org`, with a code.
pub(super) fn token(
    user_id: UserId,
    purpose: OneTimeTokenPurpose,
    seconds: u64,
) -> Result<StoredOneTimeToken, CheckError> {
    Ok(StoredOneTimeToken {
        id: OneTimeTokenId::generate().map_err(unexpected)?,
        digest: OneTimeToken::generate().map_err(unexpected)?.digest(),
        code_hash: Some(PasswordHash::new("$2b$12$the-hash-of-a-code".to_owned())),
        purpose,
        user_id,
        sent_to: Some(email("ada@Example.org")?),
        created_at: at(seconds),
        expires_at: at(EXPIRY),
    })
}

/// A letter with a secret that was written at this second.
pub(super) fn letter(user_id: UserId, seconds: u64) -> Result<Letter, CheckError> {
    Ok(Letter {
        id: LetterId::generate().map_err(unexpected)?,
        kind: LetterKind::ResetPassword,
        user_id,
        to: Some(email("Ada@Bücher.example")?),
        username: username("Äda 💡")?,
        secret: Some(LetterSecret {
            token: OneTimeToken::generate().map_err(unexpected)?,
            code: Some(OneTimeCode::generate().map_err(unexpected)?),
            expires_at: at(EXPIRY),
        }),
        language: Language::parse("ko").map_err(unexpected)?,
        created_at: at(seconds),
    })
}

pub(super) fn with(tokens: &[&StoredOneTimeToken], letters: &[&Letter]) -> SideEffects {
    SideEffects {
        tokens: tokens.iter().copied().cloned().collect(),
        letters: letters.iter().copied().cloned().collect(),
        ..SideEffects::default()
    }
}

/// The use of a token at this second, and nothing else.
pub(super) fn using(token: &StoredOneTimeToken, seconds: u64) -> Result<SideEffects, CheckError> {
    let redeem = Some(Redemption::new(token.id, at(seconds)).map_err(unexpected)?);
    Ok(SideEffects { redeem, ..SideEffects::default() })
}

pub(super) async fn write(store: &dyn OneTimeTokenStore, effects: SideEffects) -> Result<(), CheckError> {
    if store.write(effects).await.map_err(unexpected)? {
        Ok(())
    } else {
        Err(CheckError::Broken("a write that uses no token was refused".to_owned()))
    }
}

/// Whether a token can be used one second after it was made.
pub(super) async fn is_open(store: &dyn OneTimeTokenStore, token: &StoredOneTimeToken) -> Result<bool, CheckError> {
    let just_after = token.created_at + Duration::from_secs(1);
    Ok(store.find(token.digest, just_after).await.map_err(unexpected)?.is_some())
}

pub(super) fn lease_id() -> Result<LeaseId, CheckError> {
    LeaseId::generate().map_err(unexpected)
}
