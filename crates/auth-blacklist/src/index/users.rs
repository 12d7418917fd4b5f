//! Users with a user-wide revocation, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use auth_core::Claims;
use auth_core::{Generation, UserId};

/// Number of locks. The users are spread over them, so that checks of different users do not wait for one another.
const SHARDS: usize = 64;

/// Set of the user-wide revocations.
pub(super) struct Users {
    shards: Box<[RwLock<HashMap<UserId, Entry>>]>,
    count: AtomicUsize,
    by_hour: Mutex<BTreeMap<i64, Vec<UserId>>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    below: Generation,
    hour: i64,
}

impl Default for Users {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, count: AtomicUsize::new(0), by_hour: Mutex::default() }
    }
}

impl Users {
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Returns whether a user-wide revocation covers the token.
    pub(super) fn covers(&self, claims: &Claims) -> bool {
        self.len() != 0 && self.look_up(claims)
    }

    /// Separate function, so that a check reserves no stack for it when there are no revocations.
    #[inline(never)]
    fn look_up(&self, claims: &Claims) -> bool {
        let users = self.shard(claims.user_id).read().unwrap_or_else(PoisonError::into_inner);
        users.get(&claims.user_id).is_some_and(|entry| claims.generation < entry.below)
    }

    /// Returns whether there is a revocation of this user with this generation or a higher one.
    pub(super) fn holds(&self, id: UserId, below: Generation) -> bool {
        let users = self.shard(id).read().unwrap_or_else(PoisonError::into_inner);
        users.get(&id).is_some_and(|entry| below <= entry.below)
    }

    pub(super) fn insert(&self, id: UserId, below: Generation, hour: i64) {
        // Locked until the entry is stored too, because an entry that is in no list would never be forgotten.
        let mut by_hour = self.by_hour.lock().unwrap_or_else(PoisonError::into_inner);
        by_hour.entry(hour).or_default().push(id);
        let mut users = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        let entry = users.entry(id).or_insert_with(|| {
            self.count.fetch_add(1, Ordering::AcqRel);
            Entry { below, hour }
        });
        entry.below = entry.below.max(below);
        entry.hour = entry.hour.max(hour);
    }

    pub(super) fn forget(&self, first_kept: i64) {
        let mut by_hour = self.by_hour.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = by_hour.split_off(&first_kept);
        let expired = std::mem::replace(&mut *by_hour, kept);
        for id in expired.into_values().flatten() {
            let mut users = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
            if users.get(&id).is_some_and(|entry| entry.hour < first_kept) {
                users.remove(&id);
                self.count.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    fn shard(&self, id: UserId) -> &RwLock<HashMap<UserId, Entry>> {
        &self.shards[usize::from(id.as_uuid().as_bytes()[15]) % SHARDS]
    }
}
