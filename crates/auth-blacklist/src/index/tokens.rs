//! Ids of revoked tokens and sessions, in memory.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::IndexStats;
use super::table::Table;
use uuid::Uuid;

/// Number of hours in the ring: more than a user-wide revocation lives.
pub(super) const RING: u16 = 4096;

/// Tokens that expire in one hour, or in hours with the same slot of the ring.
#[derive(Debug)]
struct Partition {
    /// Latest hour of the partition.
    hour: AtomicI64,
    table: Table,
}

/// All partitions, by their slot in the ring.
type Ring = Arc<[Option<Arc<Partition>>; RING as usize]>;

/// Set of the revoked tokens.
///
/// Partitions are added and dropped about once an hour. All other changes are within one partition. So each thread
/// keeps the ring that it used last, and a look-up only checks whether there is a newer one.
///
/// A lock or a count of readers would need a write in every look-up. A processor delays the instructions after such a
/// write until those before it are done. The price is that a thread that makes no more look-ups keeps the partitions of
/// that time from being freed.
pub(super) struct Tokens {
    /// Version of the latest ring.
    version: AtomicU64,
    latest: Mutex<RingSnapshot>,
    /// Held by the thread that changes a table.
    writer: Mutex<()>,
}

/// Ring and its version, which is unique among all rings of all indexes.
#[derive(Debug, Clone)]
struct RingSnapshot {
    version: u64,
    ring: Ring,
}

thread_local! {
    static SNAPSHOT: RefCell<Option<RingSnapshot>> = const { RefCell::new(None) };
}

impl Default for Tokens {
    #[expect(clippy::large_stack_arrays, reason = "32 KiB, once")]
    fn default() -> Self {
        let first = RingSnapshot::new(Arc::new([const { None }; RING as usize]));
        Self { version: AtomicU64::new(first.version), latest: Mutex::new(first), writer: Mutex::new(()) }
    }
}

impl Tokens {
    #[inline]
    pub(super) fn contains(&self, id: Uuid, hour: i64) -> bool {
        let number = number_of(id);
        let looked = SNAPSHOT.try_with(|snapshot| {
            let snapshot = snapshot.borrow();
            let latest =
                snapshot.as_ref().filter(|snapshot| snapshot.version == self.version.load(Ordering::Acquire))?;
            Some(latest.partition(hour).is_some_and(|partition| partition.table.contains(number)))
        });
        if let Ok(Some(found)) = looked { found } else { self.contains_in_latest(id, hour) }
    }

    /// Looks a token up for a thread that does not have the latest ring. The thread keeps this ring from now on, unless
    /// it is ending.
    #[cold]
    fn contains_in_latest(&self, id: Uuid, hour: i64) -> bool {
        let number = number_of(id);
        let latest = self.latest().clone();
        let found = latest.partition(hour).is_some_and(|partition| partition.table.contains(number));
        let _ = SNAPSHOT.try_with(|snapshot| snapshot.replace(Some(latest)));
        found
    }

    /// Returns the right to add ids. Look-ups never wait for its holder, other writers do.
    pub(super) fn writing(&self) -> Writing<'_> {
        Writing { _writer: self.writer(), tokens: self, last: None }
    }

    /// Drops the partitions of hours before this one.
    pub(super) fn forget(&self, first_kept: i64) {
        // Without the lock another thread could find that a partition is old enough and then write to it.
        let writer = self.writer();
        let is_kept = |partition: &&Arc<Partition>| partition.hour.load(Ordering::Acquire) >= first_kept;
        let latest = self.latest();
        if latest.ring.iter().flatten().any(|partition| !is_kept(&partition)) {
            let mut kept = Ring::clone(&latest.ring);
            for slot in Arc::make_mut(&mut kept) {
                slot.take_if(|partition| !is_kept(&&*partition));
            }
            let old = self.publish(latest, kept);
            // No thread has to wait until the memory is freed.
            drop(writer);
            drop(old);
        }
    }

    /// Adds the sizes of the tables. It does not visit the entries.
    pub(super) fn count(&self, stats: &mut IndexStats) {
        let latest = self.latest().clone();
        for partition in latest.ring.iter().flatten() {
            stats.partitions += 1;
            stats.tokens += partition.table.len();
            stats.bytes += partition.table.bytes();
        }
    }

    /// Returns the partition of `hour`, and creates it if there is none.
    fn partition(&self, hour: i64) -> Arc<Partition> {
        let latest = self.latest();
        if let Some(partition) = latest.partition(hour) {
            return Arc::clone(partition);
        }
        let made = Arc::new(Partition { hour: AtomicI64::new(hour), table: Table::default() });
        let mut ring = Ring::clone(&latest.ring);
        Arc::make_mut(&mut ring)[slot_of(hour)] = Some(Arc::clone(&made));
        self.publish(latest, ring);
        made
    }

    /// Publishes a ring and returns the previous one.
    fn publish(&self, mut latest: MutexGuard<'_, RingSnapshot>, ring: Ring) -> RingSnapshot {
        let old = mem::replace(&mut *latest, RingSnapshot::new(ring));
        self.version.store(latest.version, Ordering::Release);
        old
    }

    fn latest(&self) -> MutexGuard<'_, RingSnapshot> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Right to add ids.
pub(super) struct Writing<'t> {
    _writer: MutexGuard<'t, ()>,
    tokens: &'t Tokens,
    /// The partition that was written to last, and its hour. Ids that come together often expire together.
    last: Option<(i64, Arc<Partition>)>,
}

impl Writing<'_> {
    pub(super) fn insert(&mut self, id: Uuid, hour: i64) {
        match &self.last {
            Some((last, partition)) if *last == hour => partition.table.insert(number_of(id)),
            _ => {
                let partition = self.tokens.partition(hour);
                partition.hour.fetch_max(hour, Ordering::AcqRel);
                partition.table.insert(number_of(id));
                self.last = Some((hour, partition));
            }
        }
    }
}

impl RingSnapshot {
    fn new(ring: Ring) -> Self {
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        Self { version: VERSIONS.fetch_add(1, Ordering::Relaxed), ring }
    }

    fn partition(&self, hour: i64) -> Option<&Arc<Partition>> {
        self.ring[slot_of(hour)].as_ref()
    }
}

fn slot_of(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(i64::from(RING))).unwrap_or_default() % usize::from(RING)
}

/// Returns the number under which a token is stored.
///
/// An id has 122 random bits, too many for a word, so two tokens may have the same number. Then a good token looks like
/// a revoked one and is refused. A table stores 61 bits: if a million tokens that expire in the same hour are revoked,
/// this happens to one good token in 10^12.
fn number_of(id: Uuid) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let (high, low) = id.as_u64_pair();
    // Where one half has no random bits, the other has some. The multiplication spreads the bits of ids that are not
    // random.
    (low ^ high.rotate_left(23)).wrapping_mul(ODD)
}

#[cfg(test)]
mod tests {
    use std::sync::{Weak, mpsc};
    use std::thread;

    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_thread_that_reads_two_sets_sees_each() {
        let (one, other) = (Tokens::default(), Tokens::default());
        one.writing().insert(id(1), 7);
        other.writing().insert(id(2), 7);
        for _ in 0..3 {
            assert!(one.contains(id(1), 7) && !one.contains(id(2), 7));
            assert!(other.contains(id(2), 7) && !other.contains(id(1), 7));
            assert_eq!(
                SNAPSHOT.with_borrow(|seen| seen.as_ref().unwrap().version),
                other.version.load(Ordering::Relaxed),
                "it is kept"
            );
        }
    }

    #[test]
    fn a_thread_sees_later_entries_and_releases_forgotten_partitions() {
        let tokens = Tokens::default();
        tokens.writing().insert(id(1), 7);
        let old: Weak<Partition> = Arc::downgrade(&tokens.partition(7));
        let (ask, asked) = mpsc::channel::<(u128, i64)>();
        let (answer, answered) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for (number, hour) in asked {
                    answer.send(tokens.contains(id(number), hour)).unwrap();
                }
            });
            let seen = |number, hour| {
                ask.send((number, hour)).unwrap();
                answered.recv().unwrap()
            };
            assert!(seen(1, 7) && !seen(2, 8));
            tokens.writing().insert(id(2), 8);
            assert!(seen(2, 8));
            tokens.forget(8);
            assert!(!seen(1, 7) && seen(2, 8));
            assert!(old.upgrade().is_none(), "it is still there");
            drop(ask);
        });
    }

    #[test]
    fn an_ending_thread_can_still_look_up() {
        struct AtTheEnd(Arc<Tokens>, mpsc::Sender<bool>);
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                self.1.send(self.0.contains(id(1), 7) && !self.0.contains(id(2), 7)).unwrap();
            }
        }
        thread_local!(static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
        let tokens = Arc::new(Tokens::default());
        tokens.writing().insert(id(1), 7);
        let (answer, answered) = mpsc::channel();
        let last = AtTheEnd(Arc::clone(&tokens), answer);
        let ended = thread::spawn(move || {
            // Destructors run in reverse order, so the first variable is dropped last.
            LAST.set(Some(last));
            tokens.contains(id(1), 7)
        });
        assert!(ended.join().unwrap());
        assert_eq!(answered.recv(), Ok(true));
    }

    #[test]
    fn ids_that_are_not_random_are_distinguished_too() {
        let tokens = Tokens::default();
        let ids = |from: u128| (from..from + 20_000).flat_map(|number| [number, number << 64, number << 100]);
        ids(1).for_each(|number| tokens.writing().insert(id(number), 7));
        assert!(ids(1).all(|number| tokens.contains(id(number), 7)));
        assert!(ids(1_000_000).all(|number| !tokens.contains(id(number), 7)));
    }
}
