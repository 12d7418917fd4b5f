//! The lock of migrations on a Galera cluster.
//!
//! `GET_LOCK` belongs to one server, so on a cluster it does not exclude processes that are connected to another node. A row does:
//! Galera certifies every commit in one order for the whole cluster, and of several nodes that insert the same primary key exactly
//! one commits. The holder increments a counter in the row, its *heartbeat*. When the holder dies, the heartbeat stops. Waiting
//! processes detect that by counting their own polls, without any clock, and the one whose conditional update commits takes over.

use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm_migration::sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::MigrateError;

/// Interval between two heartbeats of the holder.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Interval between two polls of a waiting process.
const POLL: Duration = Duration::from_millis(500);

/// Number of consecutive polls with the same heartbeat after which the holder counts as dead. A poll that the cluster delays,
/// because it applies a long `ALTER TABLE`, counts once.
const DEAD_AFTER: u32 = 30;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS auth_migration_lock \
    (id SMALLINT NOT NULL PRIMARY KEY, holder CHAR(36) NOT NULL, beat BIGINT NOT NULL) ENGINE=InnoDB";

/// The held lock. When it is dropped, the row is removed in the background.
#[derive(Debug)]
pub(crate) struct ClusterLock {
    stop: oneshot::Sender<()>,
    holding: JoinHandle<()>,
}

/// Returns true if this server is a node of a Galera cluster.
pub(crate) async fn is_galera(db: &DatabaseConnection) -> Result<bool, DbErr> {
    // A node that is not ready answers too. There is no row where the server has no such variable.
    let row = query(db, "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'".to_owned()).await?;
    Ok(row.is_some_and(|row| row.try_get_by_index::<String>(1).is_ok_and(|value| value.eq_ignore_ascii_case("ON"))))
}

impl ClusterLock {
    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// [`MigrateError::Locked`] after `patience`, or the error of the database.
    pub(crate) async fn acquire(db: &DatabaseConnection, patience: Duration) -> Result<Self, MigrateError> {
        let deadline = Instant::now() + patience;
        let holder = new_holder();
        let mut watched = Watched::default();
        loop {
            match attempt(db, holder, &mut watched).await {
                Ok(true) => return Ok(Self::held(db, holder)),
                Ok(false) => {}
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() + POLL >= deadline {
                return Err(MigrateError::Locked);
            }
            sleep(POLL).await;
        }
    }

    /// Releases the lock.
    pub(crate) async fn release(self) {
        let Self { stop, holding } = self;
        drop(stop);
        // The task never panics. When the end of the runtime cancelled it, waiting processes take over after a while.
        drop(holding.await);
    }

    fn held(db: &DatabaseConnection, holder: Uuid) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let db = db.clone();
        let holding = tokio::spawn(async move {
            let renewal =
                format!("UPDATE auth_migration_lock SET beat = beat + 1 WHERE id = 1 AND holder = '{holder}'");
            // A driver must not be dropped in the middle of a statement, so a running one is finished.
            while timeout(HEARTBEAT, &mut stopped).await.is_err() {
                // After a failed heartbeat there is the next one.
                drop(db.execute_unprepared(&renewal).await);
            }
            let deletion = format!("DELETE FROM auth_migration_lock WHERE id = 1 AND holder = '{holder}'");
            for _ in 0..DEAD_AFTER {
                match db.execute_unprepared(&deletion).await {
                    Err(error) if is_transient(&error) => sleep(POLL).await,
                    _ => break,
                }
            }
        });
        Self { stop, holding }
    }
}

/// The holder as a waiting process has seen it.
#[derive(Debug, Default)]
struct Watched {
    holder: String,
    beat: i64,
    polls: u32,
}

impl Watched {
    /// Records a poll. Returns true when the heartbeat has stopped for too many polls.
    fn is_dead(&mut self, holder: String, beat: i64) -> bool {
        if self.holder == holder && self.beat == beat {
            self.polls += 1;
        } else {
            *self = Self { holder, beat, polls: 1 };
        }
        self.polls > DEAD_AFTER
    }
}

/// Tries once to take the lock.
async fn attempt(db: &DatabaseConnection, me: Uuid, watched: &mut Watched) -> Result<bool, DbErr> {
    let insertion = format!("INSERT INTO auth_migration_lock (id, holder, beat) VALUES (1, '{me}', 0)");
    match db.execute_unprepared(&insertion).await {
        Ok(_) => return Ok(true),
        Err(error) if number(&error) == Some(ABSENT_TABLE) => {
            db.execute_unprepared(CREATE).await?;
            return Ok(false);
        }
        Err(error) if number(&error) == Some(DUPLICATE) => {}
        Err(error) => return Err(error),
    }
    let row = query(db, "SELECT holder, beat FROM auth_migration_lock WHERE id = 1".to_owned()).await?;
    let Some(row) = row else { return Ok(false) };
    let (holder, beat): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    // An earlier insertion of this process, whose outcome was unknown.
    if holder == me.to_string() {
        return Ok(true);
    }
    if !watched.is_dead(holder, beat) {
        return Ok(false);
    }
    let takeover = format!(
        "UPDATE auth_migration_lock SET holder = '{me}', beat = beat + 1 WHERE id = 1 AND holder = '{}' AND beat = {beat}",
        watched.holder
    );
    Ok(db.execute_unprepared(&takeover).await?.rows_affected() == 1)
}

async fn query(db: &DatabaseConnection, sql: String) -> Result<Option<sea_orm_migration::sea_orm::QueryResult>, DbErr> {
    db.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await
}

const DUPLICATE: u16 = 1062;
const ABSENT_TABLE: u16 = 1146;

/// Returns true on a failed certification, a lock timeout, an error during `COMMIT` and a changed record.
fn is_conflict(error: &DbErr) -> bool {
    matches!(number(error), Some(1213 | 1205 | 1180 | 1020))
}

/// Returns true on a conflict, and when the node is not ready yet.
fn is_transient(error: &DbErr) -> bool {
    is_conflict(error) || number(error) == Some(1047)
}

fn number(error: &DbErr) -> Option<u16> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return None;
    };
    Some(cause.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

#[expect(clippy::disallowed_methods, reason = "a migration has no caller who could bring randomness; no secret")]
fn new_holder() -> Uuid {
    Uuid::new_v4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_counts_as_dead_only_when_its_heartbeat_stops() {
        let mut watched = Watched::default();
        let holder = || "holder".to_owned();
        assert!((0..DEAD_AFTER).all(|_| !watched.is_dead(holder(), 7)));
        assert!(!watched.is_dead(holder(), 8), "a heartbeat at the last moment");
        assert!((1..DEAD_AFTER).all(|_| !watched.is_dead(holder(), 8)));
        assert!(watched.is_dead(holder(), 8));
        assert!(!watched.is_dead("another".to_owned(), 8));
    }
}
