//! Revoked keys, in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use auth_core::{Claims, KeyId};

/// Set of the revoked keys, each with the hour after which no token needs its entry.
#[derive(Default)]
pub(super) struct Keys {
    hours: RwLock<HashMap<KeyId, i64>>,
    count: AtomicUsize,
}

impl Keys {
    /// Returns whether the key that signed the token is revoked.
    pub(super) fn covers(&self, claims: &Claims) -> bool {
        self.count.load(Ordering::Acquire) != 0 && claims.key_id.is_some_and(|key| self.holds(key))
    }

    #[inline(never)]
    pub(super) fn holds(&self, key: KeyId) -> bool {
        self.hours.read().unwrap_or_else(PoisonError::into_inner).contains_key(&key)
    }

    pub(super) fn insert(&self, key: KeyId, hour: i64) {
        let mut hours = self.hours.write().unwrap_or_else(PoisonError::into_inner);
        let known = hours.entry(key).or_insert(hour);
        *known = hour.max(*known);
        self.count.store(hours.len(), Ordering::Release);
    }

    pub(super) fn forget(&self, first_kept: i64) {
        let mut hours = self.hours.write().unwrap_or_else(PoisonError::into_inner);
        hours.retain(|_, hour| *hour >= first_kept);
        self.count.store(hours.len(), Ordering::Release);
    }
}
