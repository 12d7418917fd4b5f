//! Counters in memory, limited in number.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::counter::Counter;
use super::store::{AttemptKey, AttemptStore, Change};
use crate::error::StoreError;

/// Store of attempt counters in the memory of one process. The counters do not survive the process, and other nodes do
/// not see them.
///
/// There are never more counters than the capacity. When it is reached, the counter that will first cease to impose a
/// wait is evicted. Counters that only remember a known network are evicted before all others, because losing them only
/// makes the limits stricter. An attacker who wants to evict the counter that holds them back has to fill the capacity
/// with counters that last longer. A refused attempt writes nothing, so each of those costs them a hash, and a network
/// has only so many an hour: 100,000 hashes at the default cost are hours of computing.
pub struct MemoryAttempts {
    capacity: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    counters: HashMap<AttemptKey, Counter>,
    /// The same keys, in order of eviction.
    order: BTreeSet<(OffsetDateTime, AttemptKey)>,
}

impl MemoryAttempts {
    /// Returns an empty store of at most `capacity` counters, at least 16. A counter takes about 200 bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(16), table: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryAttempts {
    /// Returns a store of at most 100,000 counters.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl fmt::Debug for MemoryAttempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = self.lock().counters.len();
        f.debug_struct("MemoryAttempts")
            .field("capacity", &self.capacity)
            .field("counters", &counters)
            .finish_non_exhaustive()
    }
}

impl Table {
    fn read(&self, keys: &[AttemptKey]) -> Vec<Counter> {
        keys.iter().map(|key| self.counters.get(key).copied().unwrap_or_default()).collect()
    }

    fn write(&mut self, key: AttemptKey, counter: Counter) {
        self.remove(key);
        self.counters.insert(key, counter);
        self.order.insert((counter.charged_until(), key));
    }

    /// Evicts counters down to the capacity, but none that was just written.
    fn trim(&mut self, capacity: usize, written: &[AttemptKey]) {
        while self.counters.len() > capacity {
            let Some(least) = self.order.iter().map(|(_, key)| *key).find(|key| !written.contains(key)) else { return };
            self.remove(least);
        }
    }

    fn remove(&mut self, key: AttemptKey) {
        if let Some(counter) = self.counters.remove(&key) {
            self.order.remove(&(counter.charged_until(), key));
        }
    }
}

#[async_trait]
impl AttemptStore for MemoryAttempts {
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        Ok(self.lock().read(keys))
    }

    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError> {
        let mut table = self.lock();
        let before = table.read(keys);
        let mut after = before.clone();
        change(&mut after);
        for ((key, before), after) in keys.iter().zip(&before).zip(after) {
            if *before != after {
                table.write(*key, after);
            }
        }
        table.trim(self.capacity, keys);
        Ok(before)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut table = self.lock();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // A counter that expires before `before` imposes no wait after it, so the order by `charged_until` can be used.
        let expired = table.order.iter().take_while(|(charged_until, _)| *charged_until < before).map(|(_, key)| *key);
        let expired = expired.filter(|key| table.counters.get(key).is_some_and(|found| found.expires_at() < before));
        let expired: Vec<_> = expired.take(limit).collect();
        for key in &expired {
            table.remove(*key);
        }
        Ok(expired.len() as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
