//! What an operator does with the keys.

use auth_core::Revocation;
use auth_core::keys::{KeySet, KeyState, ManagedKey};

use super::ManagedKeys;
use super::error::ManagedKeysError;
use super::following::KeyChange;
use super::ring::Reader;

/// Number of attempts to change the keys while other nodes change them.
const ATTEMPTS: usize = 5;

impl ManagedKeys {
    /// Publishes a new key, before its time. It signs after the wait of the schedule.
    ///
    /// # Errors
    ///
    /// When a key is published already, or the keys cannot be read or changed.
    pub async fn rotate(&self) -> Result<ManagedKey, ManagedKeysError> {
        let mut reader = self.reader.lock().await;
        self.read(&mut reader).await?;
        // The first key, or one that was due anyway.
        if let Some(key) = reader.unreported.iter().find_map(|change| published(change, &reader.set)) {
            return Ok(key);
        }
        let schedule = self.options.schedule;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            if let Some(key) = reader.set.keys.iter().find(|key| key.state(now) == KeyState::Published) {
                return Err(ManagedKeysError::AlreadyPublished { kid: key.kid.clone(), signs_from: key.signs_from });
            }
            let new = self.new_key().await?;
            let kid = new.kid.clone();
            let next = schedule.with_new_key(&reader.set, new, now);
            if self.replace(&mut reader, next).await? {
                self.use_keys(&mut reader);
                return reader.set.find(&kid).cloned().ok_or(ManagedKeysError::Contended);
            }
        }
        Err(ManagedKeysError::Contended)
    }

    /// Revokes a key: every node refuses all its tokens as soon as it has read the log of revocations or the keys. If no other key
    /// can sign, a new one does so at once.
    ///
    /// Returns the entry of the log, for the blacklist of this node, or `None` if there is no such key. Nothing has to be
    /// decrypted, so it also works for a key that cannot be used.
    ///
    /// # Errors
    ///
    /// When the keys cannot be read or changed. Repeating is harmless.
    pub async fn revoke(&self, kid: &str) -> Result<Option<Revocation>, ManagedKeysError> {
        let mut reader = self.reader.lock().await;
        let (mut rest, now) = (self.store.load().await?, self.clock.now());
        let Some(key) = rest.keys.iter_mut().find(|key| key.kid == kid) else { return Ok(None) };
        key.revoked_at = Some(now);
        let replacement = match rest.signing(now) {
            Some(_) => None,
            None => Some(self.new_key().await?.published(now, std::time::Duration::ZERO)),
        };
        let revocation = self.store.revoke(kid, now, replacement).await?;
        // The key is revoked. What fails now is done by the next read.
        let _ = self.read(&mut reader).await;
        Ok(revocation)
    }

    /// Encrypts every key that is needed with the present master key. Returns how many were encrypted with an earlier one.
    ///
    /// # Errors
    ///
    /// When a key cannot be decrypted, or the keys cannot be read or changed.
    pub async fn reseal(&self) -> Result<usize, ManagedKeysError> {
        let mut reader = Reader::default();
        for _ in 0..ATTEMPTS {
            self.take(&mut reader, self.store.load().await?)?;
            let (next, count) = self.resealed(&reader.set)?;
            if count == 0 || self.replace(&mut reader, next).await? {
                return Ok(count);
            }
        }
        Err(ManagedKeysError::Contended)
    }
}

/// Returns the key of a change that published one.
fn published(change: &KeyChange, set: &KeySet) -> Option<ManagedKey> {
    match change {
        KeyChange::Published { kid, .. } => set.find(kid).cloned(),
        KeyChange::Signing { .. } | KeyChange::Resealed(_) => None,
    }
}
