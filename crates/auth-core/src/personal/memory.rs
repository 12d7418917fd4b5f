//! Bounded memory of the results of look-ups.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::PersonalTokenDigest;
use crate::token::Claims;

/// Maximum number of entries in a set.
const WAYS: usize = 8;

/// Set-associative memory of virtual claims. A digest belongs into one set, and the entry of a full set that was used least
/// recently gives way to a new one.
#[derive(Debug)]
pub(super) struct Memory {
    sets: Box<[Mutex<Set>]>,
}

#[derive(Debug, Default)]
struct Set {
    entries: Vec<Entry>,
    /// Number of uses of the set.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    digest: PersonalTokenDigest,
    claims: Claims,
    /// Number of uses of the set at the last use of the entry.
    used: u64,
}

impl Memory {
    /// Returns an empty memory with room for this number of entries, rounded up to whole sets.
    pub(super) fn new(entries: usize) -> Self {
        Self { sets: (0..entries.div_ceil(WAYS)).map(|_| Mutex::default()).collect() }
    }

    /// Returns the claims that were remembered for this digest, whether they have expired or not.
    pub(super) fn find(&self, digest: &PersonalTokenDigest) -> Option<Claims> {
        let mut set = self.set_of(digest)?;
        set.uses += 1;
        let used = set.uses;
        let entry = set.entries.iter_mut().find(|entry| entry.digest == *digest)?;
        entry.used = used;
        Some(entry.claims.clone())
    }

    /// Remembers claims in the place of those that were remembered for this digest before.
    pub(super) fn remember(&self, digest: PersonalTokenDigest, claims: Claims) {
        let Some(mut set) = self.set_of(&digest) else { return };
        set.uses += 1;
        let entry = Entry { digest, claims, used: set.uses };
        let place = set.entries.iter().position(|entry| entry.digest == digest);
        let place = place.or_else(|| {
            let oldest = set.entries.iter().enumerate().min_by_key(|(_, entry)| entry.used);
            oldest.filter(|_| set.entries.len() == WAYS).map(|(place, _)| place)
        });
        match place {
            Some(place) => set.entries[place] = entry,
            None => set.entries.push(entry),
        }
    }

    /// Forgets what was remembered for this digest.
    pub(super) fn forget(&self, digest: &PersonalTokenDigest) {
        if let Some(mut set) = self.set_of(digest) {
            set.entries.retain(|entry| entry.digest != *digest);
        }
    }

    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(|set| locked(set).entries.len()).sum()
    }

    /// Returns the set of a digest, or `None` if the memory has no room at all.
    fn set_of(&self, digest: &PersonalTokenDigest) -> Option<MutexGuard<'_, Set>> {
        let [a, b, c, d, ..] = digest.0;
        let number = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or_default();
        self.sets.get(number.checked_rem(self.sets.len())?).map(locked)
    }
}

fn locked(set: &Mutex<Set>) -> MutexGuard<'_, Set> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::ids::{Generation, TokenId, UserId};

    fn claims(number: u128) -> Claims {
        Claims {
            user_id: UserId::from(Uuid::from_u128(number)),
            token_id: TokenId::from(Uuid::from_u128(number)),
            session_id: None,
            issued_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: OffsetDateTime::UNIX_EPOCH,
            generation: Generation::default(),
            admin: false,
            key_id: None,
            grants: None,
        }
    }

    fn digest(number: u8) -> PersonalTokenDigest {
        let mut bytes = [0; 32];
        bytes[31] = number;
        PersonalTokenDigest(bytes)
    }

    #[test]
    fn the_entry_that_was_used_least_recently_gives_way() {
        let memory = Memory::new(WAYS);
        for number in 0..8 {
            memory.remember(digest(number), claims(u128::from(number)));
        }
        assert_eq!(memory.find(&digest(0)), Some(claims(0)));
        memory.remember(digest(8), claims(8));
        assert_eq!(memory.find(&digest(1)), None);
        assert_eq!(memory.find(&digest(0)), Some(claims(0)));
        assert_eq!(memory.len(), WAYS);
    }

    #[test]
    fn a_digest_has_one_entry_and_can_be_forgotten() {
        let memory = Memory::new(1);
        memory.remember(digest(1), claims(1));
        memory.remember(digest(1), claims(2));
        assert_eq!((memory.find(&digest(1)), memory.len()), (Some(claims(2)), 1));
        memory.forget(&digest(1));
        assert_eq!((memory.find(&digest(1)), memory.len()), (None, 0));
    }

    #[test]
    fn a_memory_without_room_remembers_nothing() {
        let memory = Memory::new(0);
        memory.remember(digest(1), claims(1));
        assert_eq!((memory.find(&digest(1)), memory.len()), (None, 0));
    }
}
