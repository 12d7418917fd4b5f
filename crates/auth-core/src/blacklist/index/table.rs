//! A set of random 128-bit numbers that wastes little: open addressing with linear probing.
//!
//! Token ids are random and made by us, so they are their own hash, and nobody can choose one that collides. A general
//! hash set doubles when it grows and so takes between 19 and 39 bytes an entry; this one grows by an eighth, moves at
//! most what one shard holds, and takes between 20 and 23.

/// At most this share of the slots is used, as a fraction: beyond it probing gets long.
const MAX_LOAD: (usize, usize) = (4, 5);

/// What an empty slot holds. The number itself is kept apart.
const EMPTY: u128 = 0;

#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<u128>,
    used: usize,
    holds_empty: bool,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.used + usize::from(self.holds_empty)
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u128>()
    }

    pub(super) fn contains(&self, number: u128) -> bool {
        if number == EMPTY {
            return self.holds_empty;
        }
        !self.slots.is_empty() && self.slots[self.place(number)] == number
    }

    pub(super) fn insert(&mut self, number: u128) {
        if number == EMPTY {
            self.holds_empty = true;
            return;
        }
        if (self.used + 1) * MAX_LOAD.1 > self.slots.len() * MAX_LOAD.0 {
            self.grow();
        }
        let place = self.place(number);
        if self.slots[place] == EMPTY {
            self.slots[place] = number;
            self.used += 1;
        }
    }

    /// The slot that holds `number`, or the empty one where it belongs. There is always an empty one.
    fn place(&self, number: u128) -> usize {
        let size = self.slots.len();
        // The high half, scaled to the number of slots without a division.
        let mut place = usize::try_from(((number >> 64) * size as u128) >> 64).unwrap_or_default();
        while self.slots[place] != number && self.slots[place] != EMPTY {
            place += 1;
            if place == size {
                place = 0;
            }
        }
        place
    }

    fn grow(&mut self) {
        let size = self.slots.len() + (self.slots.len() / 8).max(8);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
        for number in old.into_iter().filter(|number| *number != EMPTY) {
            let place = self.place(number);
            self.slots[place] = number;
        }
    }
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
