//! Stores and a hasher that record their calls.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_core::memory::MemoryStore;
use auth_core::recovery::{OneTimeTokenDigest, OneTimeTokenPurpose, StoredOneTimeToken};
use auth_core::throttle::{AttemptKey, Change, Counter, MemoryAttempts};
use auth_core::{
    AttemptStore, ChangeUserError, Email, HashError, InsertUserError, NewUser, OneTimeTokenStore, Password,
    PasswordHash, PasswordHasher, ProfileChange, Revocation, SideEffects, StoreError, StoredCredentials, User,
    UserChange, UserId, UserRevocation, UserStore, Username, Verdict,
};
use time::OffsetDateTime;

/// Calls in their order, with what an observer of the database could tell about them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn add(&self, call: impl Into<String>) {
        self.0.lock().unwrap().push(call.into());
    }
}

/// A value whose calls are recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recording<T> {
    pub(crate) inner: Arc<T>,
    pub(crate) calls: Calls,
}

/// Returns the numbers of writes of each kind.
fn shape(effects: &SideEffects) -> String {
    let secrets = effects.letters.iter().filter(|letter| letter.secret.is_some()).count();
    let hashes = effects.tokens.iter().filter(|token| token.code_hash.is_some()).count();
    format!(
        "redeem {}, end {}, tokens {} ({hashes}), letters {} ({secrets})",
        effects.redeem.is_some(),
        effects.end.is_some(),
        effects.tokens.len(),
        effects.letters.len()
    )
}

#[async_trait]
impl UserStore for Recording<MemoryStore> {
    async fn insert(&self, new: NewUser, effects: SideEffects) -> Result<User, InsertUserError> {
        self.calls.add(format!("insert: {}", shape(&effects)));
        self.inner.insert(new, effects).await
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.calls.add("find_by_id");
        self.inner.find_by_id(id).await
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        self.calls.add("find_credentials");
        self.inner.find_credentials(email).await
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<User>, StoreError> {
        self.calls.add("find_by_username");
        self.inner.find_by_username(username).await
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        UserStore::list(self.inner.as_ref(), after, limit).await
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.inner.promote(id).await
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.inner.enable(id).await
    }

    async fn record_login(&self, id: UserId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.calls.add("record_login");
        self.inner.record_login(id, at).await
    }

    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        self.calls.add(format!("change: {}", shape(&effects)));
        self.inner.change(id, change, effects).await
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
        effects: SideEffects,
    ) -> Result<Option<(User, Revocation)>, ChangeUserError> {
        self.calls.add(format!("change_and_revoke: {}", shape(&effects)));
        self.inner.change_and_revoke(id, change, revocation, effects).await
    }

    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError> {
        self.calls.add("delete");
        self.inner.delete(id, revocation).await
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        self.inner.replace_hash(id, current, replacement).await
    }
}

#[async_trait]
impl OneTimeTokenStore for Recording<MemoryStore> {
    async fn write(&self, effects: SideEffects) -> Result<bool, StoreError> {
        self.calls.add(format!("write: {}", shape(&effects)));
        self.inner.write(effects).await
    }

    async fn find(
        &self,
        digest: OneTimeTokenDigest,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        self.calls.add("find");
        OneTimeTokenStore::find(self.inner.as_ref(), digest, at).await
    }

    async fn find_latest(
        &self,
        sent_to: &Email,
        purpose: OneTimeTokenPurpose,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        self.calls.add(format!("find_latest {}", purpose.as_str()));
        self.inner.find_latest(sent_to, purpose, at).await
    }

    async fn open_tokens(&self, user_id: UserId, at: OffsetDateTime) -> Result<Vec<StoredOneTimeToken>, StoreError> {
        self.calls.add("open_tokens");
        self.inner.open_tokens(user_id, at).await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        OneTimeTokenStore::purge(self.inner.as_ref(), before, limit).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl AttemptStore for Recording<MemoryAttempts> {
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        self.calls.add(format!("attempts: read {}", keys.len()));
        self.inner.read(keys).await
    }

    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError> {
        let before = self.inner.update(keys, Arc::clone(&change)).await?;
        let after = self.inner.read(keys).await?;
        let written = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        self.calls.add(format!("attempts: update {}, written {written}", keys.len()));
        Ok(before)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.inner.purge(before, limit).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}

/// Hash function that computes nothing. It compares in the clear.
#[derive(Debug)]
pub(crate) struct OpenHasher {
    pub(crate) calls: Calls,
}

impl PasswordHasher for OpenHasher {
    fn max_bytes(&self) -> usize {
        72
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.calls.add("hash");
        Ok(PasswordHash::new(password.expose_secret().to_owned()))
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        self.calls.add("verify");
        let is_right = password.expose_secret() == hash.expose_hash();
        Ok(if is_right { Verdict::Match } else { Verdict::Mismatch })
    }

    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash::new("no password is this".to_owned()))
    }
}
