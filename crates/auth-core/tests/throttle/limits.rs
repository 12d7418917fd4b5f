//! Limits out of their bounds.

use std::sync::Arc;
use std::time::Duration;

use auth_core::ManualClock;
use auth_core::throttle::MemoryAttempts;
use auth_core::{Throttle, ThrottleLimits};
use time::OffsetDateTime;

use crate::fixture::HOUR;

#[test]
fn limits_out_of_their_bounds_are_refused_by_name() {
    let fields = |change: fn(&mut ThrottleLimits)| {
        let mut limits = ThrottleLimits::default();
        change(&mut limits);
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH));
        let built = Throttle::new(Arc::new(MemoryAttempts::default()), &limits, clock);
        let problems = limits.problems();
        assert_eq!(built.err().as_ref(), problems.first());
        problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(fields(|_| {}), none);
    for (change, field) in [
        (fields(|limits| limits.account = 101), "account"),
        // With fewer than 20, a known network would wait longer than 15 minutes for the next try.
        (fields(|limits| limits.account = 19), "account"),
        (fields(|limits| limits.network = 6), "network"),
        (fields(|limits| limits.registrations = 0), "registrations"),
        (fields(|limits| limits.free = 0), "free"),
        (fields(|limits| limits.max_delay = Duration::from_millis(999)), "max_delay"),
        (fields(|limits| limits.max_delay = HOUR * 2), "max_delay"),
        (fields(|limits| limits.known_for = HOUR / 2), "known_for"),
    ] {
        assert_eq!(change, [field]);
    }
    assert_eq!(fields(|limits| (limits.account, limits.network, limits.registrations) = (20, 7, 7)), none);
    assert_eq!(fields(|limits| (limits.free, limits.account) = (0, 0)), ["free", "account"]);
}
