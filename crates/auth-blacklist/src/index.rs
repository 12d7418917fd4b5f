//! The index: the set of revoked tokens and users, in memory.
//!
//! A token carries its own expiry, and the set is partitioned by it. A look-up goes to one partition, and expired
//! tokens are forgotten by dropping a partition. A session ends with one entry for tokens of several expiries;
//! [`sessions`] says how each of them finds it.
//!
//! Partitions stand in a ring by the hour of the expiry, so that their number is bounded for all expiries. Two hours
//! with the same slot of the ring share a partition, which lives as long as the later hour.
//!
//! A partition is a table that is read without a lock while one thread writes to it. No look-up ever waits for a
//! writer, even while a table grows.

use std::fmt;
use std::slice;
use std::sync::atomic::{AtomicI64, Ordering};

use time::{OffsetDateTime, UtcOffset};

use self::keys::Keys;
use self::tokens::Tokens;
use self::users::Users;
use auth_core::blacklist::{PURGE_MARGIN, Purged, RevocationSink as _, RevocationTarget, Standing};
use auth_core::{Claims, LEEWAY, Revocation};

mod keys;
mod sessions;
mod sink;
mod table;
mod tokens;
mod users;

/// Contents of an index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexStats {
    /// Number of revoked tokens.
    pub tokens: usize,
    /// Number of users with a user-wide revocation.
    pub users: usize,
    /// Number of partitions.
    pub partitions: usize,
    /// Memory of the token ids, in bytes, spare room included.
    pub bytes: usize,
}

/// Set of revocations in memory.
pub struct Index {
    tokens: Tokens,
    users: Users,
    keys: Keys,
    /// Hour of expiry below which entries were forgotten. The index cannot say that a token with such an expiry is
    /// good.
    forgotten_below: AtomicI64,
    /// [`Purged`], in whole seconds since 1970. A token that expires within the second counts as purged.
    purged_tokens: AtomicI64,
    purged_users: AtomicI64,
    /// Latest hour of expiry that any of these three affects.
    uncertain_until: AtomicI64,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            tokens: Tokens::default(),
            users: Users::default(),
            keys: Keys::default(),
            forgotten_below: AtomicI64::new(i64::MIN),
            purged_tokens: AtomicI64::new(i64::MIN),
            purged_users: AtomicI64::new(i64::MIN),
            uncertain_until: AtomicI64::new(i64::MIN),
        }
    }
}

impl Index {
    /// Adds a revocation. Repeating it changes nothing.
    pub fn insert(&self, revocation: &Revocation) {
        self.insert_all(slice::from_ref(revocation));
    }

    /// Returns whether the index holds this revocation, or one that covers at least as much. For the end of a session, the
    /// partitions that were [forgotten](Self::forget) do not count: no accepted token is looked up in them.
    pub(super) fn holds(&self, revocation: &Revocation) -> bool {
        match revocation.target {
            RevocationTarget::Token(id) => self.tokens.contains(id.as_uuid(), hour_of(revocation.expires_at)),
            RevocationTarget::Session(id) => {
                // The bound is loaded after the look-up, because `forget` raises it before it drops partitions.
                sessions::partitions(id, revocation).all(|hour| {
                    self.tokens.contains(id.as_uuid(), hour) || hour < self.forgotten_below.load(Ordering::Acquire)
                })
            }
            RevocationTarget::User { id, below } => self.users.holds(id, below),
            RevocationTarget::Key(id) => self.keys.holds(id),
        }
    }

    /// Returns whether every token that this revocation covers expires in an hour that was [forgotten](Self::forget).
    pub(super) fn has_forgotten(&self, revocation: &Revocation) -> bool {
        hour_of(revocation.expires_at) < self.forgotten_below.load(Ordering::Acquire)
    }

    /// Records up to which expiries the log may have been purged. The bounds only rise.
    pub fn note_purged(&self, purged: Purged) {
        self.purged_tokens.fetch_max(purged.tokens.unix_timestamp(), Ordering::AcqRel);
        self.purged_users.fetch_max(purged.users.unix_timestamp(), Ordering::AcqRel);
        self.uncertain_until.fetch_max(hour_of(purged.tokens.max(purged.users)), Ordering::AcqRel);
    }

    /// Returns the state of a token according to the index.
    ///
    /// It is [`Revoked`](Standing::Revoked) also when the entry of the token may have been purged. It is
    /// [`Unknown`](Standing::Unknown) when the index has forgotten the hour in which the token expires, or a user-wide
    /// entry that may have covered the token was purged. Both happen when a clock was set forward and back again.
    #[must_use]
    pub fn standing(&self, claims: &Claims) -> Standing {
        if !claims.expires_at.offset().is_utc() {
            return self.standing(&Claims { expires_at: in_utc(claims.expires_at), ..claims.clone() });
        }
        let hour = hour_of_utc(claims.expires_at);
        let (id, partition) = match claims.renewable_session() {
            None => (claims.token_id.as_uuid(), hour),
            Some(session) => (session.as_uuid(), sessions::partition(session, hour)),
        };
        if self.tokens.contains(id, partition) || self.users.covers(claims) || self.keys.covers(claims) {
            return Standing::Revoked;
        }
        // Loaded after the look-up, because `forget` raises the bound before it drops entries.
        if hour > self.uncertain_until.load(Ordering::Acquire) {
            return Standing::Good;
        }
        self.uncertain_standing(claims, hour)
    }

    /// Returns the state of a token that no entry covers, although an entry may have covered it.
    #[cold]
    fn uncertain_standing(&self, claims: &Claims, hour: i64) -> Standing {
        let expiry = claims.expires_at.unix_timestamp();
        if expiry <= self.purged_tokens.load(Ordering::Acquire) {
            return Standing::Revoked;
        }
        let forgotten = hour < self.forgotten_below.load(Ordering::Acquire);
        if forgotten || expiry <= self.purged_users.load(Ordering::Acquire) {
            Standing::Unknown
        } else {
            Standing::Good
        }
    }

    /// Drops all entries that no token can need at `now`, [`LEEWAY`] and [`PURGE_MARGIN`] included. It does not visit
    /// single entries.
    pub fn forget(&self, now: OffsetDateTime) {
        let first_kept = hour_of(now - LEEWAY - PURGE_MARGIN);
        // The bounds are raised before the hours are dropped, so that a look-up in between asks the log.
        if self.forgotten_below.fetch_max(first_kept, Ordering::AcqRel) >= first_kept {
            return;
        }
        self.uncertain_until.fetch_max(first_kept - 1, Ordering::AcqRel);
        self.tokens.forget(first_kept);
        self.users.forget(first_kept);
        self.keys.forget(first_kept);
    }

    /// Returns the contents of the index. It visits every table, but not every entry.
    #[must_use]
    pub fn stats(&self) -> IndexStats {
        let mut stats = IndexStats { users: self.users.len(), ..IndexStats::default() };
        self.tokens.count(&mut stats);
        stats
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

/// Returns a number for the hour of an instant, which is larger for later hours. A year has 366 days here, because the
/// exact calendar would cost as much as the rest of a look-up.
fn hour_of(instant: OffsetDateTime) -> i64 {
    hour_of_utc(in_utc(instant))
}

fn hour_of_utc(instant: OffsetDateTime) -> i64 {
    let (year, day) = instant.to_ordinal_date();
    (i64::from(year) * 366 + i64::from(day)) * 24 + i64::from(instant.hour())
}

#[inline(never)]
fn in_utc(instant: OffsetDateTime) -> OffsetDateTime {
    instant.checked_to_offset(UtcOffset::UTC).unwrap_or(instant.replace_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::tokens::RING;
    use super::*;
    use auth_core::blacklist::RevocationReason;
    use auth_core::{Generation, TokenId, UserId};

    fn at(hours: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + hours * 3600)
    }

    fn claims(expires_at: OffsetDateTime) -> Claims {
        Claims {
            user_id: UserId::generate(at(0)).unwrap(),
            token_id: TokenId::generate().unwrap(),
            session_id: None,
            issued_at: at(0),
            expires_at,
            generation: Generation::new(3),
            admin: false,
            key_id: None,
            grants: None,
        }
    }

    fn revocation(target: RevocationTarget, expires_at: OffsetDateTime) -> Revocation {
        Revocation { target, expires_at, revoked_at: at(0), reason: RevocationReason::Logout }
    }

    #[test]
    fn hours_are_numbered_in_order_in_every_time_zone() {
        let instants = (0..40_000).map(|hours| at(0) + Duration::from_secs(hours * 3600 * 5 / 2 + 1799));
        let numbers: Vec<_> = instants.clone().map(hour_of).collect();
        assert!(numbers.is_sorted());
        for (instant, number) in instants.zip(numbers) {
            let there = instant.to_offset(UtcOffset::from_hms(5, 30, 0).unwrap());
            assert_eq!(hour_of(there), number);
            let of_its_hour = |minutes: i64| hour_of(instant + time::Duration::minutes(minutes)) == number;
            let minute = i64::from(instant.minute());
            assert!(
                of_its_hour(-minute)
                    && of_its_hour(59 - minute)
                    && !of_its_hour(60 - minute)
                    && !of_its_hour(-minute - 1)
            );
        }
    }

    #[test]
    fn a_revoked_token_is_revoked_until_its_hour_is_forgotten_and_unknown_afterwards() {
        let index = Index::default();
        let (revoked, other) = (claims(at(5)), claims(at(5)));
        index.insert(&revocation(RevocationTarget::Token(revoked.token_id), revoked.expires_at));
        assert_eq!((index.standing(&revoked), index.standing(&other)), (Standing::Revoked, Standing::Good));
        let expires_at = revoked.expires_at.to_offset(UtcOffset::from_hms(-7, 0, 0).unwrap());
        assert_eq!(index.standing(&Claims { expires_at, ..revoked.clone() }), Standing::Revoked, "by another clock");
        index.forget(revoked.expires_at + LEEWAY);
        assert_eq!(index.standing(&revoked), Standing::Revoked, "needed until the leeway is over");
        index.forget(at(9));
        assert_eq!(index.stats(), IndexStats::default());
        // The clock was wrong and is set back. The index must not call tokens good whose entries it has forgotten.
        index.forget(at(0));
        assert_eq!((index.standing(&revoked), index.standing(&other)), (Standing::Unknown, Standing::Unknown));
        assert_eq!(index.standing(&claims(at(9))), Standing::Good);
    }

    #[test]
    fn hours_that_meet_in_the_ring_live_as_long_as_the_later_one() {
        let index = Index::default();
        let (early, late) = (claims(at(1)), claims(at(1 + u64::from(RING))));
        for claims in [&late, &early] {
            index.insert(&revocation(RevocationTarget::Token(claims.token_id), claims.expires_at));
        }
        assert_eq!(index.stats().partitions, 1);
        index.forget(at(100));
        assert_eq!(index.standing(&late), Standing::Revoked);
        index.forget(at(10 + u64::from(RING)));
        assert_eq!(index.stats(), IndexStats::default());
    }

    #[test]
    fn the_end_of_a_session_is_held_until_its_last_period_is_forgotten() {
        let index = Index::default();
        let end = |session: u128| {
            revocation(RevocationTarget::Session(Uuid::from_u128(session).into()), at(0) + Duration::from_secs(900))
        };
        let periods = |end: &Revocation| match end.target {
            RevocationTarget::Session(id) => sessions::partitions(id, end).collect::<Vec<_>>(),
            _ => unreachable!(),
        };
        let (end, other) = (0..24)
            .map(|number| (end(number), end(number + 24 * 256)))
            .find(|(end, other)| periods(end).len() == 2 && periods(other) == periods(end))
            .expect("the periods of some session end just then");
        index.insert(&end);
        assert_eq!((index.holds(&end), index.holds(&other)), (true, false));
        index.forget(end.expires_at + LEEWAY + PURGE_MARGIN);
        let forgotten = index.forgotten_below.load(Ordering::Relaxed);
        assert!(periods(&end)[0] < forgotten && periods(&end)[1] >= forgotten, "one of its periods is forgotten");
        assert_eq!((index.holds(&end), index.holds(&other)), (true, false), "its other period is not");
    }

    #[test]
    fn a_user_wide_revocation_covers_lower_generations_and_the_later_expiry_counts() {
        let index = Index::default();
        let token = claims(at(2));
        let (id, below) = (token.user_id, Generation::new(3));
        index.insert(&revocation(RevocationTarget::User { id, below }, at(50)));
        assert_eq!(index.standing(&token), Standing::Good, "its generation is not below 3");
        index.insert(&revocation(RevocationTarget::User { id, below: below.next() }, at(4)));
        assert_eq!(index.standing(&token), Standing::Revoked);
        index.forget(at(10));
        assert_eq!(index.standing(&token), Standing::Revoked, "the entry lives until hour 50");
        index.forget(at(60));
        assert_eq!((index.standing(&token), index.stats().users), (Standing::Unknown, 0));
    }

    #[test]
    fn a_token_whose_entry_may_have_been_purged_is_refused_or_unknown() {
        let index = Index::default();
        let token = |seconds: u64| claims(at(5) + Duration::from_secs(seconds));
        index.note_purged(Purged { tokens: at(5) + Duration::from_millis(500), users: at(5) + Duration::from_secs(1) });
        index.note_purged(Purged::default());
        let standings = [0, 1, 2].map(|seconds| index.standing(&token(seconds)));
        assert_eq!(standings, [Standing::Revoked, Standing::Unknown, Standing::Good]);
    }

    #[test]
    fn a_million_tokens_take_at_most_24_bytes_each() {
        let index = Index::default();
        let expires_at = at(5);
        for number in 0..1_000_000_u64 {
            // A fixed mix of the number, as evenly spread as random ids are.
            let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).rotate_left(64);
            let id = Uuid::from_u128(mixed.wrapping_mul(0x2545_F491_4F6C_DD1D_2545_F491_4F6C_DD1D)).into();
            index.insert(&revocation(RevocationTarget::Token(id), expires_at));
        }
        let stats = index.stats();
        assert_eq!(stats.tokens, 1_000_000);
        assert!(stats.bytes <= 24 * stats.tokens, "{} bytes a token", stats.bytes / stats.tokens);
    }

    #[test]
    fn writers_and_readers_on_many_threads_lose_nothing() {
        let index = Index::default();
        let tokens: Vec<_> = (0..4000).map(|number| claims(at(number % 7))).collect();
        let before: Vec<_> = (0..1000).map(|number| claims(at(3 + number % 4))).collect();
        for token in &before {
            index.insert(&revocation(RevocationTarget::Token(token.token_id), token.expires_at));
        }
        std::thread::scope(|scope| {
            for part in tokens.chunks(1000) {
                let index = &index;
                scope.spawn(move || {
                    for token in part {
                        index.insert(&revocation(RevocationTarget::Token(token.token_id), token.expires_at));
                        assert_eq!(index.standing(token), Standing::Revoked);
                    }
                });
            }
            scope.spawn(|| index.forget(at(2)));
            // Earlier entries stay visible while their table moves to a larger one.
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(before.iter().all(|token| index.standing(token) == Standing::Revoked));
                }
            });
        });
        assert!(tokens.iter().all(|token| index.standing(token) == Standing::Revoked));
        assert_eq!(index.stats().tokens, 5000);
    }
}
