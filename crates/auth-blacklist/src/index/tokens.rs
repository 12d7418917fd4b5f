//! The ids of revoked tokens and sessions, in memory.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::IndexStats;
use super::table::Table;
use uuid::Uuid;

/// How many hours there is room for: more than a user-wide revocation lives.
pub(super) const RING: u16 = 4096;

/// The tokens that expire in one hour, or in hours that meet in the ring.
#[derive(Debug)]
struct Partition {
    /// The latest hour that it holds.
    hour: AtomicI64,
    table: Table,
}

/// All partitions, by their place in the ring.
type Ring = Arc<[Option<Arc<Partition>>; RING as usize]>;

/// The revoked tokens.
///
/// Partitions come and go once an hour; all that happens between is within one. So each thread keeps the ring that it saw last,
/// and a look-up only asks whether there is another one by now. A lock, or a count of those who read, would have to be
/// written by every look-up, and a processor waits with what comes after such a write for all that comes before it. The price
/// is that a thread which stops looking keeps the partitions of that time from being freed.
pub(super) struct Tokens {
    /// That of the latest ring.
    version: AtomicU64,
    latest: Mutex<Seen>,
    /// Held by who changes a table.
    writer: Mutex<()>,
}

/// A ring and its version, which no other ring of any index has.
#[derive(Debug, Clone)]
struct Seen {
    version: u64,
    ring: Ring,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

impl Default for Tokens {
    #[expect(clippy::large_stack_arrays, reason = "32 KiB, once")]
    fn default() -> Self {
        let first = Seen::new(Arc::new([const { None }; RING as usize]));
        Self { version: AtomicU64::new(first.version), latest: Mutex::new(first), writer: Mutex::new(()) }
    }
}

impl Tokens {
    #[inline]
    pub(super) fn contains(&self, id: Uuid, hour: i64) -> bool {
        let number = number_of(id);
        let looked = SEEN.try_with(|seen| {
            let seen = seen.borrow();
            let latest = seen.as_ref().filter(|seen| seen.version == self.version.load(Ordering::Acquire))?;
            Some(latest.partition(hour).is_some_and(|partition| partition.table.contains(number)))
        });
        if let Ok(Some(found)) = looked { found } else { self.contains_anew(id, hour) }
    }

    /// For a thread that has not seen the latest ring. It keeps that from now on, unless it is ending.
    #[cold]
    fn contains_anew(&self, id: Uuid, hour: i64) -> bool {
        let number = number_of(id);
        let latest = self.latest().clone();
        let found = latest.partition(hour).is_some_and(|partition| partition.table.contains(number));
        let _ = SEEN.try_with(|seen| seen.replace(Some(latest)));
        found
    }

    pub(super) fn insert(&self, id: Uuid, hour: i64) {
        let _writer = self.writer();
        let partition = self.partition(hour);
        partition.hour.fetch_max(hour, Ordering::AcqRel);
        partition.table.insert(number_of(id));
    }

    /// Drops the partitions of hours before this one.
    pub(super) fn forget(&self, first_kept: i64) {
        // Nobody else may find that a partition is old enough and then write to it.
        let writer = self.writer();
        let is_kept = |partition: &&Arc<Partition>| partition.hour.load(Ordering::Acquire) >= first_kept;
        let latest = self.latest();
        if latest.ring.iter().flatten().any(|partition| !is_kept(&partition)) {
            let mut kept = Ring::clone(&latest.ring);
            for place in Arc::make_mut(&mut kept) {
                place.take_if(|partition| !is_kept(&&*partition));
            }
            let old = self.publish(latest, kept);
            // Nobody has to wait until it is freed.
            drop(writer);
            drop(old);
        }
    }

    /// Adds up what the tables hold, without a look into them.
    pub(super) fn count(&self, stats: &mut IndexStats) {
        let latest = self.latest().clone();
        for partition in latest.ring.iter().flatten() {
            stats.partitions += 1;
            stats.tokens += partition.table.len();
            stats.bytes += partition.table.bytes();
        }
    }

    /// The partition of `hour`, which is made if there is none.
    fn partition(&self, hour: i64) -> Arc<Partition> {
        let latest = self.latest();
        if let Some(partition) = latest.partition(hour) {
            return Arc::clone(partition);
        }
        let made = Arc::new(Partition { hour: AtomicI64::new(hour), table: Table::default() });
        let mut ring = Ring::clone(&latest.ring);
        Arc::make_mut(&mut ring)[place_of(hour)] = Some(Arc::clone(&made));
        self.publish(latest, ring);
        made
    }

    /// Returns what was the latest until now.
    fn publish(&self, mut latest: MutexGuard<'_, Seen>, ring: Ring) -> Seen {
        let old = mem::replace(&mut *latest, Seen::new(ring));
        self.version.store(latest.version, Ordering::Release);
        old
    }

    fn latest(&self) -> MutexGuard<'_, Seen> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn new(ring: Ring) -> Self {
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        Self { version: VERSIONS.fetch_add(1, Ordering::Relaxed), ring }
    }

    fn partition(&self, hour: i64) -> Option<&Arc<Partition>> {
        self.ring[place_of(hour)].as_ref()
    }
}

fn place_of(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(i64::from(RING))).unwrap_or_default() % usize::from(RING)
}

/// The number of a token. An id has 122 random bits, too many for a word, so two tokens may have one number: then a good token
/// cannot be told from a revoked one, and is refused. A table keeps 61 bits: where a million tokens that expire in one hour
/// are revoked that happens to one good token in 10^12.
fn number_of(id: Uuid) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let (high, low) = id.as_u64_pair();
    // Where the one has no random bits the other has some. The multiplication spreads those of ids that are not random.
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
    fn a_thread_that_looks_at_two_sees_each() {
        let (one, other) = (Tokens::default(), Tokens::default());
        one.insert(id(1), 7);
        other.insert(id(2), 7);
        for _ in 0..3 {
            assert!(one.contains(id(1), 7) && !one.contains(id(2), 7));
            assert!(other.contains(id(2), 7) && !other.contains(id(1), 7));
            assert_eq!(
                SEEN.with_borrow(|seen| seen.as_ref().unwrap().version),
                other.version.load(Ordering::Relaxed),
                "it is kept"
            );
        }
    }

    #[test]
    fn a_thread_that_looked_before_sees_what_comes_later_and_lets_go_of_what_is_forgotten() {
        let tokens = Tokens::default();
        tokens.insert(id(1), 7);
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
            tokens.insert(id(2), 8);
            assert!(seen(2, 8));
            tokens.forget(8);
            assert!(!seen(1, 7) && seen(2, 8));
            assert!(old.upgrade().is_none(), "it is still there");
            drop(ask);
        });
    }

    #[test]
    fn a_thread_that_ends_can_look_still() {
        struct AtTheEnd(Arc<Tokens>, mpsc::Sender<bool>);
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                self.1.send(self.0.contains(id(1), 7) && !self.0.contains(id(2), 7)).unwrap();
            }
        }
        thread_local!(static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
        let tokens = Arc::new(Tokens::default());
        tokens.insert(id(1), 7);
        let (answer, answered) = mpsc::channel();
        let last = AtTheEnd(Arc::clone(&tokens), answer);
        let ended = thread::spawn(move || {
            // What comes first is dropped last.
            LAST.set(Some(last));
            tokens.contains(id(1), 7)
        });
        assert!(ended.join().unwrap());
        assert_eq!(answered.recv(), Ok(true));
    }

    #[test]
    fn ids_that_are_not_random_are_told_apart_too() {
        let tokens = Tokens::default();
        let ids = |from: u128| (from..from + 20_000).flat_map(|number| [number, number << 64, number << 100]);
        ids(1).for_each(|number| tokens.insert(id(number), 7));
        assert!(ids(1).all(|number| tokens.contains(id(number), 7)));
        assert!(ids(1_000_000).all(|number| !tokens.contains(id(number), 7)));
    }
}
