//! Which tokens are revoked, in memory.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use super::IndexStats;
use super::table::{SHARD_BITS, Table};
use crate::token::TokenId;

/// How many hours there is room for: more than a user-wide revocation lives.
pub(super) const RING: u16 = 4096;

const SHARDS: usize = 1 << SHARD_BITS;

/// The revoked tokens, in tables by the hour in which they expire and the low bits of their ids.
pub(super) struct Tokens {
    /// By place in the ring, then by shard.
    tables: Box<[ArcSwapOption<Table>]>,
    /// One for each shard. Held by who changes one of its tables.
    writers: [Mutex<()>; SHARDS],
}

impl Default for Tokens {
    fn default() -> Self {
        let tables = (0..usize::from(RING) * SHARDS).map(|_| ArcSwapOption::empty()).collect();
        Self { tables, writers: Default::default() }
    }
}

impl Tokens {
    pub(super) fn contains(&self, id: TokenId, hour: i64) -> bool {
        let number = id.as_uuid().as_u64_pair();
        self.slot(hour, shard_of(id)).load().as_ref().is_some_and(|table| table.contains(number))
    }

    /// Adds the token. A table that is full is replaced by a larger one; who reads the old one meanwhile misses nothing
    /// that was added before it began.
    pub(super) fn insert(&self, id: TokenId, hour: i64) {
        let shard = shard_of(id);
        let slot = self.slot(hour, shard);
        let _writer = self.writer(shard);
        let table = match slot.load_full() {
            Some(table) if !table.is_full() => table,
            full => {
                let larger = Arc::new(full.map_or_else(|| Table::new(hour), |full| full.grown()));
                slot.store(Some(Arc::clone(&larger)));
                larger
            }
        };
        table.hour.fetch_max(hour, Ordering::AcqRel);
        table.insert(id.as_uuid().as_u64_pair());
    }

    /// Drops the tables of hours before this one.
    pub(super) fn forget(&self, first_kept: i64) {
        for shard in 0..SHARDS {
            let _writer = self.writer(shard);
            for slot in self.tables.iter().skip(shard).step_by(SHARDS) {
                if slot.load().as_ref().is_some_and(|table| table.hour.load(Ordering::Acquire) < first_kept) {
                    slot.store(None);
                }
            }
        }
    }

    /// Adds up what the tables hold, without a look into them.
    pub(super) fn count(&self, stats: &mut IndexStats) {
        for place in self.tables.chunks(SHARDS) {
            let mut held = false;
            for table in place.iter().filter_map(ArcSwapOption::load_full) {
                held = true;
                stats.tokens += table.len();
                stats.bytes += table.bytes();
            }
            stats.partitions += usize::from(held);
        }
    }

    fn slot(&self, hour: i64, shard: usize) -> &ArcSwapOption<Table> {
        let place = usize::try_from(hour.rem_euclid(i64::from(RING))).unwrap_or_default();
        &self.tables[place * SHARDS + shard]
    }

    fn writer(&self, shard: usize) -> MutexGuard<'_, ()> {
        self.writers[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_of(id: TokenId) -> usize {
    usize::from(id.as_uuid().as_bytes()[15]) % SHARDS
}
