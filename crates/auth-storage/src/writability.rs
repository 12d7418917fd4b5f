//! The check that writing works, for readiness.
//!
//! A database that answers reads may refuse writes: its disk is full, its file system is read-only, or the server is a standby.
//! The check writes and commits for real. Its writes are few and small while all is well: one row, at most once in
//! [`CONFIRMED_FOR`]. After a failed write of a store it writes many rows, because on a full disk there may be room for
//! one row and not for a logout.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use auth_core::{StoreError, StoreErrorKind, TokenId};
use sea_orm::ActiveValue::Set;
use sea_orm::QueryFilter as _;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use tokio::time::Instant;
use uuid::Uuid;

use crate::attempt_store::writing;
use crate::connect::Database;
use crate::entity::attempts::{self, ActiveModel, Column};
use crate::error::Trouble;

/// How long a successful check is remembered, unless a write fails.
const CONFIRMED_FOR: Duration = Duration::from_secs(5);

/// Rows that are written after a failure: about 60 kB with their indexes, more than any request writes.
const ROWS_AFTER_FAILURE: u32 = 500;

impl Database {
    /// Checks that this database can be written to, for a readiness probe that may be asked often.
    ///
    /// The answer is at most 5 s old, and never older than the last failed write of a store. To find it out, rows of the table
    /// `attempts` that have expired already are written, committed, and removed by the next
    /// [`purge`](auth_core::AttemptStore::purge) at the latest.
    ///
    /// # Errors
    ///
    /// When writing fails or takes longer than [`ConnectOptions::call_timeout`](crate::ConnectOptions::call_timeout).
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let writability = self.writability();
        let Some(check) = writability.begin_check() else { return Ok(()) };
        let id = writability.row_id()?;
        let database = self.clone();
        let rows = if check.after_failure { ROWS_AFTER_FAILURE } else { 1 };
        self.write(move |_| {
            let database = database.clone();
            async move { database.write_rows(id, rows, check.round).await }
        })
        .await?;
        writability.confirm(&check);
        Ok(())
    }

    /// Writes rows that count nothing and have expired, and removes all of them but the first.
    async fn write_rows(&self, id: Uuid, rows: u32, round: u32) -> Result<(), Trouble> {
        let statements = self.statements();
        let id_of = |row: u32| Uuid::from_u128(id.as_u128().wrapping_add(row.into()));
        let written = (0..rows).map(|row| ActiveModel {
            id: Set(id_of(row)),
            // Another value each time: MySQL writes nothing for a row that stays the same.
            failures: Set(round.into()),
            not_before: Set(0),
            spent_until: Set(0),
            known_until: Set(0),
            expires_at: Set(0),
        });
        let tables = self.tables();
        writing(tables, written.collect()).exec_without_returning(&statements).await?;
        if rows > 1 {
            let rest = Expr::col(Column::Id).is_in((1..rows).map(id_of));
            tables.delete_many::<attempts::Entity>().filter(rest).exec(&statements).await?;
        }
        Ok(())
    }
}

/// What is known about writing to a database.
#[derive(Debug, Default)]
pub(crate) struct Writability {
    state: Mutex<State>,
    /// The row that this process writes; with one of its own it waits for no other node.
    row: OnceLock<Uuid>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// When a check succeeded, with no failure since.
    confirmed_at: Option<Instant>,
    /// Number of failed writes.
    failures: u32,
    /// The value of `failures` that the last successful check has seen.
    failures_checked: u32,
    checks: u32,
}

/// A check that has begun.
#[derive(Debug, Clone, Copy)]
struct Check {
    after_failure: bool,
    failures: u32,
    round: u32,
}

impl Writability {
    /// Takes note of a failed write.
    pub(crate) fn write_failed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.wrapping_add(1);
        state.confirmed_at = None;
    }

    /// Begins a check, unless the last one is recent enough.
    fn begin_check(&self) -> Option<Check> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.confirmed_at.is_some_and(|at| at.elapsed() < CONFIRMED_FOR) {
            return None;
        }
        state.checks = state.checks.wrapping_add(1);
        let after_failure = state.failures != state.failures_checked;
        Some(Check { after_failure, failures: state.failures, round: state.checks })
    }

    /// Takes note of a check that succeeded. A write that failed meanwhile wants another check.
    fn confirm(&self, check: &Check) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures_checked = check.failures;
        if state.failures == check.failures {
            state.confirmed_at = Some(Instant::now());
        }
    }

    fn row_id(&self) -> Result<Uuid, StoreError> {
        if let Some(id) = self.row.get() {
            return Ok(*id);
        }
        let random = TokenId::generate().map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        Ok(*self.row.get_or_init(|| random.as_uuid()))
    }
}
