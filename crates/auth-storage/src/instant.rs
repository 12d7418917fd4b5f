//! Instants as the tables have them: microseconds since the Unix epoch, the same integer on every database.

use auth_core::{StoreError, StoreErrorKind};
use time::OffsetDateTime;

const NANOS_PER_MICRO: i128 = 1000;

/// The microsecond that `at` is in.
pub(crate) fn to_micros(at: OffsetDateTime) -> Result<i64, StoreError> {
    as_stored(at.unix_timestamp_nanos().div_euclid(NANOS_PER_MICRO))
}

/// The first microsecond that is not before `at`: an expiry may be kept a little later, never earlier.
pub(crate) fn to_micros_rounded_up(at: OffsetDateTime) -> Result<i64, StoreError> {
    as_stored(-(-at.unix_timestamp_nanos()).div_euclid(NANOS_PER_MICRO))
}

/// The instant, if there is one so early or late.
pub(crate) fn from_micros(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * NANOS_PER_MICRO).ok()
}

fn as_stored(micros: i128) -> Result<i64, StoreError> {
    i64::try_from(micros).map_err(|error| StoreError::new(StoreErrorKind::Internal, error))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_whole_microsecond_comes_back_and_a_part_of_one_is_rounded_as_asked() {
        for whole in [datetime!(2026-11-23 11:20:00.123456 UTC), datetime!(1969-12-31 23:59:59.999999 UTC)] {
            let part = whole + time::Duration::NANOSECOND;
            assert_eq!(from_micros(to_micros(whole).unwrap()), Some(whole));
            assert_eq!(from_micros(to_micros(part).unwrap()), Some(whole));
            assert_eq!(from_micros(to_micros_rounded_up(whole).unwrap()), Some(whole));
            assert_eq!(from_micros(to_micros_rounded_up(part).unwrap()), Some(whole + time::Duration::MICROSECOND));
        }
    }

    #[test]
    fn a_number_that_is_no_instant_is_none() {
        assert_eq!(from_micros(i64::MAX), None);
        assert_eq!(from_micros(i64::MIN), None);
    }
}
