//! The clock of the database.

use auth_core::StoreError;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use time::OffsetDateTime;

use crate::connect::{Database, DatabaseKind};
use crate::error::AttemptError;
use crate::instant;

impl Database {
    /// The time by the clock of the database server, to the microsecond. `None` on SQLite, which has no clock but that of
    /// this machine.
    ///
    /// # Errors
    ///
    /// When the database could not be asked.
    pub async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let Some(question) = question(self.kind()) else { return Ok(None) };
        let statements = self.statements();
        let row = self.read(async move { Ok(statements.query_one_raw(question).await?) }).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("a SELECT without FROM has no row"))?;
        let micros = row.try_get_by_index::<i64>(0).map_err(AttemptError::from)?;
        instant::from_micros(micros)
            .map(Some)
            .ok_or_else(|| StoreError::corrupt("the clock of the database is no instant"))
    }
}

/// Microseconds since 1970, whatever the time zone of the session; the builder of queries knows neither function.
fn question(kind: DatabaseKind) -> Option<Statement> {
    let (backend, sql) = match kind {
        DatabaseKind::Sqlite => return None,
        DatabaseKind::Postgres => {
            (DbBackend::Postgres, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)")
        }
        DatabaseKind::MySql => {
            (DbBackend::MySql, "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))")
        }
    };
    Some(Statement::from_string(backend, sql))
}
