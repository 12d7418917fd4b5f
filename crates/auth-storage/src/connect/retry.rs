//! Repetition of a write whose transaction the database rolled back.
//!
//! Databases that detect write conflicts instead of waiting for locks (Galera, PostgreSQL at `SERIALIZABLE`) roll a
//! transaction back at any of its statements and at `COMMIT`, and expect the client to run all of it again. The number of
//! attempts and their total time are bounded. The pauses between them are random, so that rivals do not collide again.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Repeatable;

/// Upper bound on the attempts of one write. With two rivals of equal speed one in a million writes needs more.
const MAX_ATTEMPTS: u32 = 20;

/// Upper bound on attempts that follow the loss of a connection. The pool bounds the wait for a new connection.
const MAX_RECONNECTS: u32 = 1;

/// Upper bound on the first pause; it doubles with every attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(4);

/// Upper bound on every pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The outcome of the earlier attempts of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlierAttempts {
    /// There were none, or the database rolled all of them back.
    RolledBack,
    /// One of them may have been committed: its connection was lost, or the database could not say.
    Unknown,
}

/// The attempts of one write.
#[derive(Debug)]
pub(super) struct Retries {
    /// No attempt begins after this, because the caller has its answer by then.
    deadline: Instant,
    earlier: EarlierAttempts,
    failed: u32,
    reconnects: u32,
}

impl Retries {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { deadline, earlier: EarlierAttempts::RolledBack, failed: 0, reconnects: 0 }
    }

    pub(super) fn earlier(&self) -> EarlierAttempts {
        self.earlier
    }

    /// Records an attempt that failed. Returns the pause before the next one, or `None` when there is no next one.
    pub(super) fn next_pause(&mut self, repeatable: Repeatable) -> Option<Duration> {
        self.failed += 1;
        match repeatable {
            Repeatable::Never => return None,
            Repeatable::RolledBack => {}
            Repeatable::Unknown => self.earlier = EarlierAttempts::Unknown,
            Repeatable::Reconnected => {
                self.earlier = EarlierAttempts::Unknown;
                self.reconnects += 1;
            }
        }
        let pause = jittered(longest_pause(self.failed));
        let allowed = self.failed < MAX_ATTEMPTS && self.reconnects <= MAX_RECONNECTS;
        (allowed && Instant::now() + pause < self.deadline).then_some(pause)
    }
}

/// Upper bound on the pause after this number of failed attempts.
fn longest_pause(failed: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

/// Returns a random part of `longest`, or all of it where the system has no randomness.
fn jittered(longest: Duration) -> Duration {
    match getrandom::u32() {
        Ok(part) => longest.mul_f64(f64::from(part) / f64::from(u32::MAX)),
        Err(_) => longest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_bounded_in_number_and_time() {
        let mut retries = Retries::until(Instant::now() + Duration::from_secs(60));
        let pauses: Vec<_> = std::iter::from_fn(|| retries.next_pause(Repeatable::RolledBack)).collect();
        assert_eq!(pauses.len() + 1, MAX_ATTEMPTS as usize);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
        assert!(pauses.windows(2).any(|two| two[0] != two[1]), "pauses are random: {pauses:?}");
        assert_eq!(retries.earlier(), EarlierAttempts::RolledBack);

        let mut late = Retries::until(Instant::now());
        assert_eq!(late.next_pause(Repeatable::RolledBack), None);
    }

    #[test]
    fn an_outcome_that_is_unknown_stays_so() {
        let mut retries = Retries::until(Instant::now() + Duration::from_secs(60));
        assert!(retries.next_pause(Repeatable::Unknown).is_some());
        assert!(retries.next_pause(Repeatable::RolledBack).is_some());
        assert_eq!(retries.earlier(), EarlierAttempts::Unknown);
        assert!(retries.next_pause(Repeatable::Reconnected).is_some());
        assert_eq!(retries.next_pause(Repeatable::Reconnected), None, "one new connection");
        assert_eq!(Retries::until(Instant::now() + Duration::from_secs(60)).next_pause(Repeatable::Never), None);
    }
}
