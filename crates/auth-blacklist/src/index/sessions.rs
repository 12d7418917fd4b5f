//! Partitions of the entries that end a session.
//!
//! The tokens of a renewable session expire in different hours, and all of them are revoked by one entry. A look-up must still
//! go to one partition, which it finds from the claims alone. So the hours are divided into periods of a day, and a token of
//! a session is looked up in the partition of the *last hour* of the period in which it expires. An entry is put into the
//! partition of every period in which a token of the session that is still accepted anywhere can expire:
//!
//! - No token of the session expires after the entry.
//! - A token that had expired before the revocation, by more than the leeway and the skew of the clocks, is refused by every
//!   node without the entry.
//!
//! With tokens that live for some minutes this is one period, or two if a period ends just then (three at the end of a year).
//! The periods of different sessions end at different hours of the day, so that the cost of the second one is spread evenly over
//! time.

use auth_core::{LEEWAY, MAX_CLOCK_SKEW, Revocation, SessionId};

use super::hour_of;

/// Length of a period, in hours.
const PERIOD: i64 = 24;

/// Returns the partition in which a token of `session` that expires in `hour` is looked up.
#[inline]
pub(super) fn partition(session: SessionId, hour: i64) -> i64 {
    let shift = shift_of(session);
    last_hour((hour + shift).div_euclid(PERIOD), shift)
}

/// Returns the partitions that the end of `session` is put into.
pub(super) fn partitions(session: SessionId, end: &Revocation) -> impl Iterator<Item = i64> {
    let shift = shift_of(session);
    let period = move |hour: i64| (hour + shift).div_euclid(PERIOD);
    let last = period(hour_of(end.expires_at));
    let first = period(hour_of(end.revoked_at - LEEWAY - MAX_CLOCK_SKEW)).min(last);
    (first..=last).map(move |period| last_hour(period, shift))
}

fn last_hour(period: i64, shift: i64) -> i64 {
    period * PERIOD + PERIOD - 1 - shift
}

/// Returns the number of hours by which the periods of a session are shifted.
fn shift_of(session: SessionId) -> i64 {
    i64::from(session.as_uuid().as_bytes()[15]) % PERIOD
}

#[cfg(test)]
mod tests {
    use auth_core::blacklist::{RevocationReason, RevocationTarget};
    use proptest::prelude::*;
    use time::{Duration, OffsetDateTime};
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn every_token_that_is_still_accepted_finds_the_entry(
            session: u128,
            revoked_at in 1_700_000_000_i64..1_900_000_000,
            life in 0_i64..7_200,
            expiry in 0.0..1.0_f64,
        ) {
            let session = SessionId::from(Uuid::from_u128(session));
            let revoked_at = OffsetDateTime::from_unix_timestamp(revoked_at).unwrap();
            let end = Revocation {
                target: RevocationTarget::Session(session),
                expires_at: revoked_at + Duration::seconds(life),
                revoked_at,
                reason: RevocationReason::Logout,
            };
            let earliest = revoked_at - LEEWAY - MAX_CLOCK_SKEW;
            let token = earliest + (end.expires_at - earliest) * expiry;
            let looked_up = partition(session, hour_of(token));
            prop_assert!(looked_up >= hour_of(token), "the partition is dropped before the token has expired");
            prop_assert!(partitions(session, &end).any(|hour| hour == looked_up));
            // The hours between two years that have 365 days are numbered with a gap of a day, and so of one period.
            let most = if earliest.year() == end.expires_at.year() { 2 } else { 3 };
            prop_assert!(partitions(session, &end).count() <= most);
        }
    }

    #[test]
    fn one_period_is_enough_for_most_sessions() {
        let revoked_at = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let entries: usize = (0..24_000_u128)
            .map(|number| {
                let session = SessionId::from(Uuid::from_u128(number));
                let expires_at = revoked_at + Duration::minutes(15);
                let target = RevocationTarget::Session(session);
                partitions(session, &Revocation { target, expires_at, revoked_at, reason: RevocationReason::Logout })
                    .count()
            })
            .sum();
        assert!(entries <= 24_000 * 115 / 100, "{entries} entries for 24,000 sessions");
    }
}
