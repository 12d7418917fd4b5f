//! The outcomes of recent writes, for the check that writing works.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use auth_core::{StoreError, StoreErrorKind, TokenId};
use tokio::time::Instant;
use uuid::Uuid;

/// Time for which a successful check is remembered, unless a write fails.
const CONFIRMED_FOR: Duration = Duration::from_secs(5);

/// The outcomes of recent writes to a database.
#[derive(Debug, Default)]
pub(crate) struct WriteHealth {
    state: Mutex<WriteState>,
    /// The id of the row that a check writes. Each process has its own, so it waits for no other node.
    row: OnceLock<Uuid>,
}

#[derive(Debug, Clone, Copy, Default)]
struct WriteState {
    /// The time of a successful check with no failed write after it.
    confirmed_at: Option<Instant>,
    /// Number of failed writes.
    failures: u32,
    /// The value of `failures` that the last successful check has seen.
    failures_checked: u32,
    /// Number of checks.
    checks: u32,
}

/// A check that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteCheck {
    /// True when a write failed since the last successful check.
    pub(crate) after_failure: bool,
    /// The number of this check.
    pub(crate) round: u32,
    failures: u32,
}

impl WriteHealth {
    /// Records a failed write.
    pub(crate) fn write_failed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.wrapping_add(1);
        state.confirmed_at = None;
    }

    /// Begins a check, unless the last one is recent enough.
    pub(crate) fn begin_check(&self) -> Option<WriteCheck> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.confirmed_at.is_some_and(|at| at.elapsed() < CONFIRMED_FOR) {
            return None;
        }
        state.checks = state.checks.wrapping_add(1);
        let after_failure = state.failures != state.failures_checked;
        Some(WriteCheck { after_failure, failures: state.failures, round: state.checks })
    }

    /// Records a check that succeeded. A write that failed meanwhile makes another check necessary.
    pub(crate) fn confirm(&self, check: &WriteCheck) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures_checked = check.failures;
        if state.failures == check.failures {
            state.confirmed_at = Some(Instant::now());
        }
    }

    /// The id of the row that a check writes.
    pub(crate) fn row_id(&self) -> Result<Uuid, StoreError> {
        if let Some(id) = self.row.get() {
            return Ok(*id);
        }
        let random = TokenId::generate().map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        Ok(*self.row.get_or_init(|| random.as_uuid()))
    }
}
