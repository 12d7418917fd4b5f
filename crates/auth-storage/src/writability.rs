//! The check that writing works, for readiness.
//!
//! A database that answers reads may refuse writes: its disk is full, its file system is read-only, or the server is a standby.
//! The check writes and commits. While all is well it writes one row, at most once in 5 s. After a failed write of a store it writes
//! many rows, because a full disk may have room for one row and not for a logout.

use auth_core::StoreError;
use sea_orm::ActiveValue::Set;
use sea_orm::QueryFilter as _;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use uuid::Uuid;

use crate::attempt_store::writing;
use crate::connect::Database;
use crate::entity::attempts::{self, ActiveModel, Column};
use crate::error::AttemptError;

/// Number of rows that are written after a failure: about 60 kB with their indexes, more than any request writes.
const ROWS_AFTER_FAILURE: u32 = 500;

impl Database {
    /// Checks that writing works, for a frequent readiness probe.
    ///
    /// The answer is at most 5 s old, and never older than the last failed write of a store. The check writes rows into the table
    /// `attempts` that have already expired, and commits them. The next [`purge`](auth_core::AttemptStore::purge) removes
    /// them at the latest.
    ///
    /// # Errors
    ///
    /// Fails when writing fails or takes longer than [`ConnectOptions::call_timeout`](crate::ConnectOptions::call_timeout).
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let health = self.write_health();
        let Some(check) = health.begin_check() else { return Ok(()) };
        let id = health.row_id()?;
        let database = self.clone();
        let rows = if check.after_failure { ROWS_AFTER_FAILURE } else { 1 };
        self.write(move |_| {
            let database = database.clone();
            async move { database.write_rows(id, rows, check.round).await }
        })
        .await?;
        health.confirm(&check);
        Ok(())
    }

    /// Writes rows that have expired and count nothing, and removes all but the first.
    async fn write_rows(&self, id: Uuid, rows: u32, round: u32) -> Result<(), AttemptError> {
        let statements = self.statements();
        let id_of = |row: u32| Uuid::from_u128(id.as_u128().wrapping_add(row.into()));
        let written = (0..rows).map(|row| ActiveModel {
            id: Set(id_of(row)),
            // Another value each time, because MySQL does not write an unchanged row.
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
