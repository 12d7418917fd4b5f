//! Hash set of random 64-bit numbers that is read without a lock, while one thread writes to it.
//!
//! With millions of numbers, a look-up costs the memory access that it waits for, and its cost falls with the number of
//! look-ups that the processor can overlap. So the words that hold the numbers hold all other information too. Eight of
//! them make a bucket, which is one cache line. A look-up is short and writes nothing.
//!
//! A number whose bucket is full overflows to the next bucket. The full bucket records this in sixteen overflow bits,
//! so that a look-up of another number seldom continues in vain.
//!
//! A table that has become too full doubles. The upper half is added, and the numbers that belong there are copied.
//! Then the new size is published, and only then the numbers are removed from their old buckets. A look-up that misses
//! a removed number sees the new size and searches again. Readable memory is never freed or moved, and the lower half
//! is not copied.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SLOTS: usize = 8;

/// Maximum load as a fraction of the slots. A table that has just doubled has half of it.
const MAX_LOAD: (usize, usize) = (7, 10);

/// Mask of the overflow bits of a bucket that are in one word.
const OVERFLOW_MASK: u64 = 0b11;
const OVERFLOW_BITS_PER_WORD: u64 = 2;

/// Flag of a word that holds a number.
const OCCUPIED: u64 = 0b100;

/// Maximum number of segments. With all of them a table has 16 GiB and two thousand million numbers.
const SEGMENTS: usize = 28;

#[derive(Debug)]
pub(super) struct Table {
    used: AtomicUsize,
    /// Number of buckets, a power of two.
    size: AtomicUsize,
    /// Segments of two buckets, two more, four more …
    segments: [OnceLock<Box<[Bucket]>>; SEGMENTS],
}

/// Bucket: one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    words: [AtomicU64; SLOTS],
}

/// Number as a table stores it: 61 bits of it, and [`OCCUPIED`].
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

    /// Returns whether the table holds `number`. The result for a number that is being added is either.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a look-up is short, and a call takes a tenth of it")]
    pub(super) fn contains(&self, number: u64) -> bool {
        let key = Key::new(number);
        let size = self.size.load(Ordering::Acquire);
        let Some(bucket) = self.bucket(key.home(size)) else { return false };
        if bucket.holds(key) {
            return true;
        }
        // A reader that saw the removal of a number sees the new size here, because the size was published first.
        let ends_here = !bucket.has_overflowed(key) && self.size.load(Ordering::Acquire) == size;
        !ends_here && self.finds(key)
    }

    /// Adds `number`. Only one thread at a time may call it.
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

    /// Searches all buckets from the home of `key` on, as long as overflow bits say that numbers with these bits went
    /// further.
    #[inline(never)]
    fn finds(&self, key: Key) -> bool {
        let mut size = self.size.load(Ordering::Acquire);
        loop {
            let home = key.home(size);
            for bucket in (0..size).map_while(|step| self.bucket(home ^ step)) {
                if bucket.holds(key) {
                    return true;
                }
                if !bucket.has_overflowed(key) {
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

    /// Stores `key`, which is not in the table, in a table of `size` buckets.
    ///
    /// A search visits all buckets, and first those of the half in which it begins, because it begins like a search in
    /// half as many buckets.
    fn put(&self, key: Key, size: usize) {
        let home = key.home(size);
        for step in 0..size {
            match self.bucket(home ^ step) {
                Some(bucket) if !bucket.put(key) => {}
                _ => return,
            }
        }
    }

    /// Doubles the table and returns its new size.
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

/// Returns the segment of a bucket.
fn segment_of(place: usize) -> usize {
    (place | 1).ilog2() as usize
}

impl Bucket {
    /// Returns whether the bucket holds `key`.
    ///
    /// It has a single branch that depends on the data, the one on its result. A processor that mispredicts throws away
    /// the look-ups that it has begun. (The compiler turns a comparison of each word for equality into branches.)
    fn holds(&self, key: Key) -> bool {
        let difference = |word: &AtomicU64| word.load(Ordering::Acquire) ^ key.0;
        self.words.iter().map(difference).fold(u64::MAX, u64::min) <= OVERFLOW_MASK
    }

    fn has_overflowed(&self, key: Key) -> bool {
        let (word, mask) = key.overflow_bit();
        self.words[word].load(Ordering::Acquire) & mask != 0
    }

    /// Stores a number, or sets its overflow bit if the bucket is full.
    ///
    /// The overflow bit is set before the number is stored in another bucket. A search that does not find the number at
    /// its end came before the number was added.
    fn put(&self, key: Key) -> bool {
        for word in &self.words {
            let held = word.load(Ordering::Relaxed);
            if held & OCCUPIED == 0 {
                word.store(held | key.0, Ordering::Release);
                return true;
            }
        }
        let (word, mask) = key.overflow_bit();
        self.words[word].fetch_or(mask, Ordering::Release);
        false
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let words = self.words.iter().map(|word| word.load(Ordering::Relaxed));
        words.filter(|word| word & OCCUPIED != 0).map(|word| Key(word & !OVERFLOW_MASK))
    }

    fn remove(&self, moved: impl Fn(&Key) -> bool) {
        for word in &self.words {
            let held = word.load(Ordering::Relaxed);
            if held & OCCUPIED != 0 && moved(&Key(held & !OVERFLOW_MASK)) {
                // A reader that sees the removal also sees the new size, which was stored before.
                word.store(held & OVERFLOW_MASK, Ordering::Release);
            }
        }
    }
}

impl Key {
    fn new(number: u64) -> Self {
        Self(number & !OVERFLOW_MASK | OCCUPIED)
    }

    /// Returns the bucket in which a search begins. The upper half of a product is mixed better than the lower one.
    fn home(self, size: usize) -> usize {
        usize::try_from(self.0 >> 32).unwrap_or_default() & (size - 1)
    }

    /// Returns the word and the mask of the overflow bit of this number.
    fn overflow_bit(self) -> (usize, u64) {
        let bit = self.0 >> (u64::BITS - (SLOTS as u64 * OVERFLOW_BITS_PER_WORD).trailing_zeros());
        (usize::try_from(bit / OVERFLOW_BITS_PER_WORD).unwrap_or_default(), 1 << (bit % OVERFLOW_BITS_PER_WORD))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use proptest::prelude::*;

    /// Returns numbers without the bits that a table does not store. Many have one of a few home buckets, so that their
    /// searches are long.
    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let few_homes = (0_u64..3, 0_u64..40).prop_map(|(home, other)| (home << 32) | (other << 4));
        let number = prop_oneof![any::<u64>(), few_homes, 0_u64..64, Just(u64::MAX)];
        prop::collection::vec(number.prop_map(|number| number & !(OVERFLOW_MASK | OCCUPIED)), 0..600)
    }

    fn spread(number: u64) -> u64 {
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32).wrapping_mul(0xD1B5_4A32_D192_ED03)
    }

    proptest! {
        #[test]
        fn a_table_holds_the_same_numbers_as_a_hash_set(numbers in numbers()) {
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
    fn a_look_up_of_an_absent_number_seldom_goes_past_its_bucket() {
        let table = Table::default();
        (1..=100_000).for_each(|number| table.insert(spread(number)));
        let size = table.size.load(Ordering::Relaxed);
        let overflows = |number: &u64| {
            let key = Key::new(spread(*number));
            table.bucket(key.home(size)).unwrap().has_overflowed(key)
        };
        let share = (200_001..=300_000).filter(overflows).count();
        assert!(share < 3_000, "{share} of 100000 overflow");
    }

    #[test]
    fn stored_numbers_stay_visible_while_a_table_doubles() {
        const THERE: u64 = 100;
        let looks: [fn(&Table, u64) -> bool; 2] = [Table::contains, |table, number| table.finds(Key::new(number))];
        // Many small tables, because errors occur at the moment of doubling.
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
