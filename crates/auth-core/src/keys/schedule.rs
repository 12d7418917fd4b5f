//! The schedule by which keys are published, sign, and go.

use std::time::Duration;

use time::OffsetDateTime;

use super::managed_key::{KeySet, KeyState, ManagedKey, NewKey};
use crate::token::{LEEWAY, MAX_CLOCK_SKEW, MAX_TOKEN_LIFE};

/// Difference between the clocks of two nodes that no rotation notices. It is the difference that checks of tokens allow too.
pub const KEY_SKEW: Duration = MAX_CLOCK_SKEW;

/// Schedule of the rotation of keys. All of it is computed from a set and the time, without I/O.
///
/// - A key is published, and signs after [`wait`](Self::wait). By then every node has read it and every copy of the key set that
///   others keep has it.
/// - A key signs until its successor does. Then it verifies for [`keep`](Self::keep). By then all its tokens have expired.
/// - A set without a key that can sign gets one that signs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySchedule {
    /// Time for which a key signs before its successor is published.
    pub rotation: Duration,
    /// Time for which others may keep a copy of the public keys.
    pub jwks_max_age: Duration,
    /// Maximum time between two reads of the store by a node.
    pub poll: Duration,
    /// Longest life of a token that is signed with the keys.
    pub token_life: Duration,
}

/// What a set needs at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDue {
    /// A new key: no key can sign, or the one that signs is older than [`KeySchedule::rotation`].
    Key,
    /// The times that [`KeySchedule::settled`] computes, and the removal of keys that are gone.
    Upkeep,
}

impl KeySchedule {
    /// Returns the time between the publication of a key and its first signature.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.jwks_max_age + self.poll + KEY_SKEW
    }

    /// Returns the time for which a key verifies after its last signature.
    #[must_use]
    pub fn keep(&self) -> Duration {
        self.token_life + LEEWAY + self.poll + KEY_SKEW
    }

    /// Returns what the set needs at `now`, if it needs something.
    #[must_use]
    pub fn due(&self, set: &KeySet, now: OffsetDateTime) -> Option<KeyDue> {
        match set.signing(now) {
            None => Some(KeyDue::Key),
            Some(signing) if now >= signing.signs_from + self.rotation && !has_successor(set, signing) => {
                Some(KeyDue::Key)
            }
            Some(_) => (self.settled(set, now) != *set).then_some(KeyDue::Upkeep),
        }
    }

    /// Returns the set with a new key: it signs at once if no other can, otherwise after [`wait`](Self::wait).
    #[must_use]
    pub fn with_new_key(&self, set: &KeySet, new: NewKey, now: OffsetDateTime) -> KeySet {
        let mut set = set.clone();
        let wait = set.signing(now).map_or(Duration::ZERO, |_| self.wait());
        set.keys.push(new.published(now, wait));
        self.settled(&set, now)
    }

    /// Returns the set in which every key ends where its successor begins, without the keys that are gone.
    ///
    /// An end of verification is never moved to an earlier time: a node whose tokens live longer may have signed with the key.
    #[must_use]
    pub fn settled(&self, set: &KeySet, now: OffsetDateTime) -> KeySet {
        let mut set = set.clone();
        set.keys.retain(|key| !is_unneeded(key, now));
        set.sort();
        let mut successor: Option<OffsetDateTime> = None;
        for key in set.keys.iter_mut().rev().filter(|key| key.revoked_at.is_none()) {
            if let Some(successor) = successor {
                let until = key.signs_until.map_or(successor, |until| until.min(successor));
                key.signs_until = Some(until);
                key.verifies_until = key.verifies_until.max(Some(until + self.keep()));
            } else if key.state(now) != KeyState::Verifying {
                // Its successor was revoked before it signed.
                (key.signs_until, key.verifies_until) = (None, None);
            }
            successor = Some(key.signs_from);
        }
        set
    }
}

impl NewKey {
    /// Returns the key as published at `now`, which signs after `wait`. Its times are whole seconds.
    #[must_use]
    pub fn published(self, now: OffsetDateTime, wait: Duration) -> ManagedKey {
        let Self { kid, algorithm, sealed, public_jwk } = self;
        let published_at = now.replace_nanosecond(0).unwrap_or(now);
        ManagedKey {
            kid,
            algorithm,
            sealed,
            public_jwk,
            published_at,
            signs_from: published_at + wait,
            signs_until: None,
            verifies_until: None,
            revoked_at: None,
        }
    }
}

/// Returns whether another key signs after this one.
fn has_successor(set: &KeySet, signing: &ManagedKey) -> bool {
    set.keys.iter().any(|key| key.revoked_at.is_none() && key.signs_from > signing.signs_from)
}

/// Returns whether nobody needs the row of the key: all its tokens have expired, and the entry of its revocation too.
fn is_unneeded(key: &ManagedKey, now: OffsetDateTime) -> bool {
    key.revoked_at.map_or(key.state(now) == KeyState::Gone, |at| now >= at + MAX_TOKEN_LIFE + MAX_CLOCK_SKEW)
}

#[cfg(test)]
mod tests;
