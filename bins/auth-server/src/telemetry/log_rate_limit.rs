//! A rate limit for log lines that clients can cause.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Least time between two lines of one kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// Allows one line a minute and counts the others.
#[derive(Debug, Default)]
pub(crate) struct LogRateLimit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl LogRateLimit {
    /// Returns the number of lines held back since the last one, if a line may be written now.
    pub(crate) fn admit(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_is_allowed_and_the_others_are_counted() {
        let limit = LogRateLimit::default();
        assert_eq!(limit.admit(), Some(0));
        assert_eq!((limit.admit(), limit.admit()), (None, None));
        tokio::time::advance(INTERVAL).await;
        assert_eq!((limit.admit(), limit.admit()), (Some(2), None));
    }
}
