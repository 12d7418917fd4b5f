//! A set of random 128-bit numbers of one shard that is read without a lock.
//!
//! Token ids are random and made by us, so they are their own hash, and nobody can choose one that collides. At millions
//! of them what a look-up costs is the cache lines that it has to wait for, so a number and all that is to be known about
//! it stand in one line: a bucket of four numbers. A number whose bucket is full goes to the next one that is not, and the
//! full buckets that it passes take note of it in twelve bits, so that a look-up of another number seldom goes on in vain.
//! The bits stand where the low bits of the numbers would, which are the same throughout a shard.
//!
//! A general hash set doubles when it grows and so takes between 19 and 39 bytes an entry. This one grows by a tenth, moves
//! at most what one shard holds, and takes between 21 and 24.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// How many low bits of a number its shard implies.
pub(super) const SHARD_BITS: u32 = 4;

const SLOTS: usize = 4;

/// At most this share of the slots is used, as a fraction. Less than one, so some bucket has room and walks end there.
const MAX_LOAD: (usize, usize) = (3, 4);

/// Of a low word: a number stands here.
const OCCUPIED: u64 = 1;

/// Of a low word: its part of the notes of its bucket.
const NOTES: u64 = 0b1110;
const NOTES_IN_A_WORD: u64 = 3;

#[derive(Debug)]
pub(super) struct Table {
    /// The latest hour that it holds.
    pub(super) hour: AtomicI64,
    used: AtomicUsize,
    buckets: Box<[Bucket]>,
}

/// A cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    high: [AtomicU64; SLOTS],
    low: [AtomicU64; SLOTS],
}

/// A number as a table keeps it.
#[derive(Clone, Copy)]
struct Key {
    high: u64,
    /// With [`OCCUPIED`] and without notes.
    low: u64,
}

/// What a look into a bucket finds.
enum Look {
    Found,
    /// Some that passed this bucket by may be this one.
    Passed,
    Absent,
}

impl Table {
    /// An empty one.
    pub(super) fn new(hour: i64) -> Self {
        Self::with_buckets(hour, 1)
    }

    /// One that holds the same and has room for more.
    pub(super) fn grown(&self) -> Self {
        let size = self.buckets.len();
        let grown = Self::with_buckets(self.hour.load(Ordering::Acquire), size + (size / 10).max(1));
        for bucket in &self.buckets {
            bucket.keys().for_each(|key| grown.put(key));
        }
        grown
    }

    fn with_buckets(hour: i64, size: usize) -> Self {
        let buckets = (0..size).map(|_| Bucket::default()).collect();
        Self { hour: AtomicI64::new(hour), used: AtomicUsize::new(0), buckets }
    }

    pub(super) fn len(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.buckets)
    }

    /// Whether one more number would be too many.
    pub(super) fn is_full(&self) -> bool {
        (self.len() + 1) * MAX_LOAD.1 > self.buckets.len() * SLOTS * MAX_LOAD.0
    }

    /// Whether `number` is held. One that is being added meanwhile may be or not.
    pub(super) fn contains(&self, number: (u64, u64)) -> bool {
        let key = Key::new(number);
        let mut place = self.home(key);
        loop {
            match self.buckets[place].look(key) {
                Look::Found => return true,
                Look::Absent => return false,
                Look::Passed => place = self.after(place),
            }
        }
    }

    /// Adds `number`. One thread at a time may, and not when it [is full](Self::is_full).
    pub(super) fn insert(&self, number: (u64, u64)) {
        if !self.contains(number) {
            self.put(Key::new(number));
        }
    }

    /// Adds what is not held.
    fn put(&self, key: Key) {
        let mut place = self.home(key);
        // The notes come before the number: who finds the number missing at the end of its walk came too early for it.
        while !self.buckets[place].put(key) {
            place = self.after(place);
        }
        self.used.fetch_add(1, Ordering::AcqRel);
    }

    /// Where the walk begins: the high word, scaled to the number of buckets without a division.
    fn home(&self, key: Key) -> usize {
        let scaled = (u128::from(key.high) * self.buckets.len() as u128) >> u64::BITS;
        usize::try_from(scaled).unwrap_or_default()
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 == self.buckets.len() { 0 } else { place + 1 }
    }
}

impl Bucket {
    /// With one branch that depends on what is read, and which goes one way for most: a processor that guesses wrong here
    /// throws away the look-ups it has begun. A number that is being written may be seen by halves, and so not yet.
    fn look(&self, key: Key) -> Look {
        let alike = self.high.iter().fold(false, |alike, high| alike | (high.load(Ordering::Acquire) == key.high));
        if alike && self.has(key) {
            return Look::Found;
        }
        let low = self.low.iter().map(|low| low.load(Ordering::Acquire) & NOTES);
        let notes = low.fold(0, |notes, low| (notes << NOTES_IN_A_WORD) | low);
        if notes & key.note() == 0 { Look::Absent } else { Look::Passed }
    }

    fn has(&self, key: Key) -> bool {
        self.keys().any(|held| held.high == key.high && held.low == key.low)
    }

    /// Takes a number in, or takes note that it had to go on.
    fn put(&self, key: Key) -> bool {
        let free = self.low.iter().position(|low| low.load(Ordering::Relaxed) & OCCUPIED == 0);
        if let Some(slot) = free {
            self.high[slot].store(key.high, Ordering::Relaxed);
            self.low[slot].store(key.low, Ordering::Release);
            return true;
        }
        let mut note = key.note();
        for low in self.low.iter().rev() {
            low.fetch_or(note & NOTES, Ordering::Release);
            note >>= NOTES_IN_A_WORD;
        }
        false
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let words = self.high.iter().zip(&self.low);
        let keys =
            words.map(|(high, low)| Key { high: high.load(Ordering::Acquire), low: low.load(Ordering::Acquire) });
        keys.filter(|key| key.low & OCCUPIED != 0).map(|key| Key { low: key.low & !NOTES, ..key })
    }
}

impl Key {
    fn new((high, low): (u64, u64)) -> Self {
        Self { high, low: low & !(NOTES | OCCUPIED) | OCCUPIED }
    }

    /// One bit of a bucket's notes, which begin at bit 1.
    fn note(self) -> u64 {
        let spread = (self.low >> SHARD_BITS) & 0xFFFF;
        2 << ((spread * SLOTS as u64 * NOTES_IN_A_WORD) >> 16)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    /// Numbers of one shard; many of some few buckets, whose walks are long.
    fn numbers() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let high = prop_oneof![any::<u64>(), 0_u64..3, (0_u64..3).prop_map(|below| u64::MAX - below)];
        let low = prop_oneof![any::<u64>(), 0_u64..64, Just(u64::MAX)];
        prop::collection::vec((high, low.prop_map(|low| low >> SHARD_BITS << SHARD_BITS | 5)), 0..400)
    }

    proptest! {
        #[test]
        fn holds_what_a_hash_set_holds(numbers in numbers()) {
            let (mut table, mut set) = (Table::new(7), HashSet::new());
            for number in numbers {
                prop_assert_eq!(table.contains(number), set.contains(&number));
                if table.is_full() {
                    table = table.grown();
                }
                table.insert(number);
                set.insert(number);
                prop_assert!(table.contains(number));
                prop_assert_eq!(table.len(), set.len());
            }
            prop_assert!(set.iter().all(|number| table.contains(*number)));
        }
    }

    #[test]
    fn the_look_up_of_a_stranger_seldom_goes_past_its_bucket() {
        let spread =
            |number: u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15), number.wrapping_mul(0xD1B5_4A32_D192_ED03));
        let mut table = Table::new(7);
        for number in 1..=100_000 {
            if table.is_full() {
                table = table.grown();
            }
            table.insert(spread(number));
        }
        let goes_on = |number: &u64| {
            let key = Key::new(spread(*number));
            matches!(table.buckets[table.home(key)].look(key), Look::Passed)
        };
        let share = (200_001..=300_000).filter(goes_on).count();
        assert!(share < 10_000, "{share} of 100000 go on");
    }
}
