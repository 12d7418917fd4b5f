//! An attempt store in memory, right and wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::AttemptStore;
use auth_core::throttle::{AttemptKey, Change, Counter};
use auth_core::{StoreError, StoreErrorKind};
use time::OffsetDateTime;

use crate::Fault;
use crate::database::Database;

/// The table of counters, and the locks on its rows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    rows: Mutex<BTreeMap<AttemptKey, Counter>>,
    locked: Mutex<BTreeSet<AttemptKey>>,
}

/// One node's attempt store.
#[derive(Debug)]
pub(crate) struct Attempts {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    remembered: Mutex<HashMap<AttemptKey, Counter>>,
}

impl Attempts {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, remembered: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    fn rows(&self) -> &Mutex<BTreeMap<AttemptKey, Counter>> {
        &self.database.counters.rows
    }

    fn counters(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        let rows = self.rows().lock().unwrap();
        let damaged = self.database.damaged.lock().unwrap();
        let counter = |key: &AttemptKey| match rows.get(key) {
            Some(_) if damaged.contains(&Row::Counter(*key)) => {
                if self.has(Fault::TakesNonsenseForNothing) {
                    Ok(Counter::default())
                } else {
                    Err(StoreError::corrupt("no number of failures"))
                }
            }
            None if self.has(Fault::NoCounterIsAnError) => Err(StoreError::new(StoreErrorKind::Internal, "no rows")),
            found => Ok(found.copied().unwrap_or_default()),
        };
        keys.iter().map(counter).collect()
    }

    fn write(&self, key: AttemptKey, mut counter: Counter) {
        if self.has(Fault::CutsTheInstants) {
            counter.known_until = counter.known_until.replace_nanosecond(0).unwrap();
        }
        self.rows().lock().unwrap().insert(key, counter);
    }

    /// Writes what `change` makes of `before` and returns it.
    fn write_changed(&self, keys: &[AttemptKey], before: &[Counter], change: &Change) -> Vec<Counter> {
        let mut after = before.to_vec();
        change(&mut after);
        for ((key, before), after) in keys.iter().zip(before).zip(&after) {
            if before != after || self.has(Fault::KeepsLockedRows) {
                self.write(*key, *after);
            }
        }
        after
    }

    /// Locks the rows in the order of `keys`. Who has waited for too long fails, as a database breaks a deadlock.
    async fn locked(&self, keys: &[AttemptKey]) -> Result<Locks<'_>, StoreError> {
        let locked = &self.database.counters.locked;
        let mut locks = Locks { locked, held: Vec::new() };
        for key in keys {
            let mut patience = 100;
            while !locked.lock().unwrap().insert(*key) {
                if patience == 0 {
                    return Err(StoreError::unavailable("deadlock"));
                }
                patience -= 1;
                pass(1).await;
            }
            locks.held.push(*key);
            pass(1).await;
        }
        Ok(locks)
    }
}

/// Rows that nobody else may lock until this is dropped.
struct Locks<'t> {
    locked: &'t Mutex<BTreeSet<AttemptKey>>,
    held: Vec<AttemptKey>,
}

impl Drop for Locks<'_> {
    fn drop(&mut self) {
        self.locked.lock().unwrap().retain(|key| !self.held.contains(key));
    }
}

#[async_trait]
impl AttemptStore for Attempts {
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        if let Err(error) = self.database.up() {
            return if self.has(Fault::OutageIsNoAttempt) {
                Ok(vec![Counter::default(); keys.len()])
            } else {
                Err(error)
            };
        }
        let mut keys = keys.to_vec();
        if self.has(Fault::AnswersInTheOrderOfTheTable) {
            keys.sort_unstable();
        }
        let found = self.counters(&keys)?;
        if self.has(Fault::RemembersCounters) {
            let mut remembered = self.remembered.lock().unwrap();
            return Ok(keys.iter().zip(found).map(|(key, found)| *remembered.entry(*key).or_insert(found)).collect());
        }
        Ok(found)
    }

    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError> {
        if let Err(error) = self.database.up() {
            return if self.has(Fault::OutageIsNoAttempt) {
                Ok(vec![Counter::default(); keys.len()])
            } else {
                Err(error)
            };
        }
        let loses_answer = self.database.disturbed.write(self.database.fault)?;
        match self.database.fault {
            Fault::CountsAgain if loses_answer => {
                let before = self.counters(keys)?;
                self.write_changed(keys, &before, &change);
                self.write_changed(keys, &self.counters(keys)?, &change);
                Ok(before)
            }
            Fault::ReadsThenWrites => {
                let before = self.counters(keys)?;
                pass(1).await;
                self.write_changed(keys, &before, &change);
                Ok(before)
            }
            Fault::UpdatesOneByOne => {
                let mut before = Vec::new();
                for key in keys {
                    let found = self.counters(&[*key])?;
                    self.write_changed(&[*key], &found, &change);
                    before.extend(found);
                    pass(1).await;
                }
                Ok(before)
            }
            Fault::LocksInTheOrderAskedFor => {
                let _locks = self.locked(keys).await?;
                let before = self.counters(keys)?;
                self.write_changed(keys, &before, &change);
                Ok(before)
            }
            _ => {
                let before = self.counters(keys)?;
                let after = self.write_changed(keys, &before, &change);
                Ok(if self.has(Fault::ReturnsWhatIsAfter) { after } else { before })
            }
        }
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.database.up()?;
        let fault = self.database.fault;
        let is_expired = |counter: &Counter| match fault {
            Fault::PurgesCountersAtTheBound => counter.expires_at() <= before,
            Fault::PurgesByTheQuota => counter.spent_until < before,
            _ => counter.expires_at() < before,
        };
        let limit = if fault == Fault::PurgesAllCounters { usize::MAX } else { limit as usize };
        let expired: Vec<_> = {
            let rows = self.rows().lock().unwrap();
            rows.iter().filter(|(_, counter)| is_expired(counter)).map(|(key, _)| *key).take(limit).collect()
        };
        if fault == Fault::PurgesWhatItFound {
            pass(1).await;
        }
        self.rows().lock().unwrap().retain(|key, _| !expired.contains(key));
        Ok(expired.len() as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.up()?;
        Ok(None)
    }
}
