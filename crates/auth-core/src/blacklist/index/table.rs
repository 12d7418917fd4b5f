//! A set of random 128-bit numbers that wastes little: open addressing with linear probing.
//!
//! Token ids are random and made by us, so they are their own hash, and nobody can choose one that collides. A general
//! hash set doubles when it grows and so takes between 19 and 39 bytes an entry; this one grows by an eighth, moves at
//! most what one shard holds, and takes between 21 and 24. Beside each number stands a byte of it: probing walks over the
//! bytes, some dozen of which share a cache line, and looks at a number only where the byte is right.

/// At most this share of the slots is used, as a fraction: beyond it probing gets long.
const MAX_LOAD: (usize, usize) = (4, 5);

/// The tag of an empty slot.
const EMPTY: u8 = 0;

#[derive(Debug, Default)]
pub(super) struct Table {
    tags: Vec<u8>,
    numbers: Vec<u128>,
    used: usize,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<u128>() + self.tags.capacity()
    }

    pub(super) fn contains(&self, number: u128) -> bool {
        !self.tags.is_empty() && self.tags[self.place(number)] != EMPTY
    }

    pub(super) fn insert(&mut self, number: u128) {
        if (self.used + 1) * MAX_LOAD.1 > self.tags.len() * MAX_LOAD.0 {
            self.grow();
        }
        let place = self.place(number);
        if self.tags[place] == EMPTY {
            self.tags[place] = tag(number);
            self.numbers[place] = number;
            self.used += 1;
        }
    }

    /// The slot that holds `number`, or the empty one where it belongs. There is always an empty one.
    fn place(&self, number: u128) -> usize {
        let (size, wanted) = (self.tags.len(), tag(number));
        // The high half, scaled to the number of slots without a division.
        let mut place = usize::try_from(((number >> 64) * size as u128) >> 64).unwrap_or_default();
        loop {
            let found = self.tags[place];
            if found == EMPTY || (found == wanted && self.numbers[place] == number) {
                return place;
            }
            place += 1;
            if place == size {
                place = 0;
            }
        }
    }

    fn grow(&mut self) {
        let size = self.tags.len() + (self.tags.len() / 8).max(8);
        let tags = std::mem::replace(&mut self.tags, vec![EMPTY; size]);
        let numbers = std::mem::replace(&mut self.numbers, vec![0; size]);
        for (_, number) in tags.into_iter().zip(numbers).filter(|(tag, _)| *tag != EMPTY) {
            let place = self.place(number);
            self.tags[place] = tag(number);
            self.numbers[place] = number;
        }
    }
}

/// A byte of the number that chooses neither shard nor slot, never [`EMPTY`].
fn tag(number: u128) -> u8 {
    number.to_be_bytes()[14].max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_what_a_hash_set_holds(numbers in prop::collection::vec(
            prop_oneof![any::<u128>(), 0_u128..40, (0_u128..40).prop_map(|low| u128::MAX - low)], 0..400)) {
            let (mut table, mut set) = (Table::default(), HashSet::new());
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
}
