//! A set of random 64-bit numbers that is read without a lock, while one thread writes to it.
//!
//! At millions of them what a look-up costs is the memory that it has to wait for, and how many look-ups the processor can
//! have under way while it waits. So the words that hold the numbers say all that is to be known, eight of them make a cache
//! line, the bucket, and a look-up is short and writes nothing. A number whose bucket is full goes on to the next one, and
//! the full bucket takes note of that in sixteen bits, so that a look-up of another number seldom goes on in vain.
//!
//! A table that has become too full doubles: the upper half is added, numbers that belong there are copied, the new size is
//! said, and only then are they removed where they were. A look-up that misses one that was removed sees the new size and
//! looks again. Nothing that can be read is ever freed or moved, and the lower half is not copied.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SLOTS: usize = 8;

/// At most this share of the slots is used, as a fraction, and at least half of it once a table has doubled.
const MAX_LOAD: (usize, usize) = (7, 10);

/// Of a word: its part of the notes of its bucket.
const NOTES: u64 = 0b11;
const NOTES_IN_A_WORD: u64 = 2;

/// Of a word: a number stands here.
const OCCUPIED: u64 = 0b100;

/// With so many a table has 16 GiB, and two thousand million numbers.
const SEGMENTS: usize = 28;

#[derive(Debug)]
pub(super) struct Table {
    used: AtomicUsize,
    /// In buckets, a power of two.
    size: AtomicUsize,
    /// Two buckets, two more, four more …
    segments: [OnceLock<Box<[Bucket]>>; SEGMENTS],
}

/// A cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    words: [AtomicU64; SLOTS],
}

/// A number as a table keeps it: 61 bits of it, and [`OCCUPIED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key(u64);

impl Default for Table {
    fn default() -> Self {
        let table = Self { used: AtomicUsize::new(0), size: AtomicUsize::new(2), segments: Default::default() };
        table.add_segment(0, 2);
        table
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.size.load(Ordering::Acquire) * size_of::<Bucket>()
    }

    /// Whether `number` is held. One that is being added meanwhile may be or not.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a look-up is short, and a call takes a tenth of it")]
    pub(super) fn contains(&self, number: u64) -> bool {
        let key = Key::new(number);
        let size = self.size.load(Ordering::Acquire);
        let Some(bucket) = self.bucket(key.home(size)) else { return false };
        if bucket.holds(key) {
            return true;
        }
        // Who saw that a number was removed sees here that it was moved.
        let ends_here = !bucket.was_passed_by(key) && self.size.load(Ordering::Acquire) == size;
        !ends_here && self.finds(key)
    }

    /// Adds `number`. One thread at a time may.
    pub(super) fn insert(&self, number: u64) {
        let key = Key::new(number);
        if self.finds(key) {
            return;
        }
        let size = self.size.load(Ordering::Acquire);
        let is_full = (self.len() + 1) * MAX_LOAD.1 > size * SLOTS * MAX_LOAD.0;
        let size = if is_full { self.doubled(size) } else { size };
        self.put(key, size);
        self.used.fetch_add(1, Ordering::AcqRel);
    }

    /// The whole walk, from where `key` belongs for as long as notes say that some went on.
    #[inline(never)]
    fn finds(&self, key: Key) -> bool {
        let mut size = self.size.load(Ordering::Acquire);
        loop {
            let home = key.home(size);
            for bucket in (0..size).map_while(|step| self.bucket(home ^ step)) {
                if bucket.holds(key) {
                    return true;
                }
                if !bucket.was_passed_by(key) {
                    break;
                }
            }
            let now = self.size.load(Ordering::Acquire);
            if now == size {
                return false;
            }
            size = now;
        }
    }

    /// Puts what is not held where it belongs in a table of so many buckets. A walk goes to all of them, and to those of the
    /// half that it begins in first: it begins as the walk in half as many buckets did.
    fn put(&self, key: Key, size: usize) {
        let home = key.home(size);
        for step in 0..size {
            match self.bucket(home ^ step) {
                Some(bucket) if !bucket.put(key) => {}
                _ => return,
            }
        }
    }

    /// Makes room. Returns the size from now on.
    fn doubled(&self, size: usize) -> usize {
        let doubled = size * 2;
        if !self.add_segment(segment_of(size), size) {
            return size;
        }
        let moves = |key: &Key| key.home(doubled) >= size;
        let buckets = || (0..size).filter_map(|place| self.bucket(place));
        for bucket in buckets() {
            bucket.keys().filter(moves).for_each(|key| self.put(key, doubled));
        }
        self.size.store(doubled, Ordering::Release);
        for bucket in buckets() {
            bucket.remove(moves);
        }
        doubled
    }

    fn add_segment(&self, segment: usize, size: usize) -> bool {
        let buckets = || (0..size).map(|_| Bucket::default()).collect();
        self.segments.get(segment).is_some_and(|segment| segment.set(buckets()).is_ok())
    }

    fn bucket(&self, place: usize) -> Option<&Bucket> {
        let segment = segment_of(place);
        self.segments.get(segment)?.get()?.get(place ^ (1 << segment))
    }
}

/// Which segment a bucket is in.
fn segment_of(place: usize) -> usize {
    (place | 1).ilog2() as usize
}

impl Bucket {
    /// With one branch that depends on what is read, the one on the result: a processor that guesses wrong throws away the
    /// look-ups it has begun. (A comparison of each word for being equal is made into branches by the compiler.)
    fn holds(&self, key: Key) -> bool {
        let difference = |word: &AtomicU64| word.load(Ordering::Acquire) ^ key.0;
        self.words.iter().map(difference).fold(u64::MAX, u64::min) <= NOTES
    }

    fn was_passed_by(&self, key: Key) -> bool {
        let (word, note) = key.note();
        self.words[word].load(Ordering::Acquire) & note != 0
    }

    /// Takes a number in, or takes note that it had to go on. The note comes before the number: who finds the number missing at
    /// the end of its walk came too early for it.
    fn put(&self, key: Key) -> bool {
        for word in &self.words {
            let notes = word.load(Ordering::Relaxed);
            if notes & OCCUPIED == 0 {
                word.store(notes | key.0, Ordering::Release);
                return true;
            }
        }
        let (word, note) = key.note();
        self.words[word].fetch_or(note, Ordering::Release);
        false
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let words = self.words.iter().map(|word| word.load(Ordering::Relaxed));
        words.filter(|word| word & OCCUPIED != 0).map(|word| Key(word & !NOTES))
    }

    fn remove(&self, moved: impl Fn(&Key) -> bool) {
        for word in &self.words {
            let held = word.load(Ordering::Relaxed);
            if held & OCCUPIED != 0 && moved(&Key(held & !NOTES)) {
                // With the size that was said before it.
                word.store(held & NOTES, Ordering::Release);
            }
        }
    }
}

impl Key {
    fn new(number: u64) -> Self {
        Self(number & !NOTES | OCCUPIED)
    }

    /// Where a walk begins. The upper half of a product is the better mixed one.
    fn home(self, size: usize) -> usize {
        usize::try_from(self.0 >> 32).unwrap_or_default() & (size - 1)
    }

    /// The word and the bit in which a bucket notes that this one went on.
    fn note(self) -> (usize, u64) {
        let note = self.0 >> (u64::BITS - (SLOTS as u64 * NOTES_IN_A_WORD).trailing_zeros());
        (usize::try_from(note / NOTES_IN_A_WORD).unwrap_or_default(), 1 << (note % NOTES_IN_A_WORD))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use proptest::prelude::*;

    /// Numbers without the bits that a table does not keep; many of some few buckets, whose walks are long.
    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let few_homes = (0_u64..3, 0_u64..40).prop_map(|(home, other)| (home << 32) | (other << 4));
        let number = prop_oneof![any::<u64>(), few_homes, 0_u64..64, Just(u64::MAX)];
        prop::collection::vec(number.prop_map(|number| number & !(NOTES | OCCUPIED)), 0..600)
    }

    fn spread(number: u64) -> u64 {
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32).wrapping_mul(0xD1B5_4A32_D192_ED03)
    }

    proptest! {
        #[test]
        fn holds_what_a_hash_set_holds(numbers in numbers()) {
            let (table, mut set) = (Table::default(), HashSet::new());
            for number in numbers {
                prop_assert_eq!(table.contains(number), set.contains(&number));
                table.insert(number);
                set.insert(number);
                prop_assert!(table.contains(number));
                prop_assert_eq!(table.len(), set.len());
            }
            prop_assert!(set.iter().all(|number| table.contains(*number)));
        }
    }

    #[test]
    fn a_table_is_neither_too_full_nor_too_empty() {
        let table = Table::default();
        for number in 1..=50_000 {
            table.insert(spread(number));
            let slots = table.size.load(Ordering::Relaxed) * SLOTS;
            assert!(table.len() * 10 <= slots * 7, "{} of {slots}", table.len());
            assert!(slots == 2 * SLOTS || table.len() * 20 >= slots * 7 - 20, "{} of {slots}", table.len());
        }
    }

    #[test]
    fn the_look_up_of_a_stranger_seldom_goes_past_its_bucket() {
        let table = Table::default();
        (1..=100_000).for_each(|number| table.insert(spread(number)));
        let size = table.size.load(Ordering::Relaxed);
        let goes_on = |number: &u64| {
            let key = Key::new(spread(*number));
            table.bucket(key.home(size)).unwrap().was_passed_by(key)
        };
        let share = (200_001..=300_000).filter(goes_on).count();
        assert!(share < 3_000, "{share} of 100000 go on");
    }

    #[test]
    fn what_is_there_is_seen_while_a_table_doubles() {
        const THERE: u64 = 100;
        let looks: [fn(&Table, u64) -> bool; 2] = [Table::contains, |table, number| table.finds(Key::new(number))];
        // Many small tables, because what can go wrong goes wrong in the moment of doubling.
        for _ in 0..200 {
            let (table, done) = (Table::default(), AtomicBool::new(false));
            (0..THERE).for_each(|number| table.insert(spread(number)));
            std::thread::scope(|scope| {
                for look in looks {
                    let (table, done) = (&table, &done);
                    scope.spawn(move || {
                        while !done.load(Ordering::Acquire) {
                            assert!((0..THERE).all(|number| look(table, spread(number))));
                        }
                    });
                }
                (THERE..3_000).for_each(|number| table.insert(spread(number)));
                done.store(true, Ordering::Release);
            });
            assert!((0..3_000).all(|number| table.contains(spread(number))));
        }
    }
}
