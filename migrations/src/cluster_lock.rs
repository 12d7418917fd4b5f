//! The lock of migrations on a Galera cluster.
//!
//! `GET_LOCK` belongs to one server, so on a cluster it excludes nobody who came by way of another node. A row does: Galera
//! certifies every commit in one order for the whole cluster, and of several nodes that insert the same primary key exactly
//! one commits. The holder renews the row with a counter, its *beat*. When the holder dies, others notice that the beat stands
//! still, counted in looks of their own and not by any clock, and the one whose conditional update commits takes over.

use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm_migration::sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::MigrateError;

/// Between two beats of the holder.
const BEAT: Duration = Duration::from_secs(1);

/// Between two looks of who waits.
const LOOK: Duration = Duration::from_millis(500);

/// After how many looks in a row at the same beat the holder counts as dead. A look that the cluster held up, because it
/// applies a long `ALTER TABLE`, is one look.
const DEAD_AFTER: u32 = 30;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS auth_migration_lock \
    (id SMALLINT NOT NULL PRIMARY KEY, holder CHAR(36) NOT NULL, beat BIGINT NOT NULL) ENGINE=InnoDB";

/// The lock, held. When this is dropped the row is removed in the background.
#[derive(Debug)]
pub(crate) struct ClusterLock {
    beating: oneshot::Sender<()>,
    holding: JoinHandle<()>,
}

/// Whether this server is a node of a Galera cluster.
pub(crate) async fn is_galera(db: &DatabaseConnection) -> Result<bool, DbErr> {
    // Also answered by a node that is not ready, and empty where the server has no such variable.
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
            if Instant::now() + LOOK >= deadline {
                return Err(MigrateError::Locked);
            }
            sleep(LOOK).await;
        }
    }

    /// Lets others in.
    pub(crate) async fn release(self) {
        let Self { beating, holding } = self;
        drop(beating);
        // It never panics; and one that the end of the runtime cancelled is made up for by those who wait.
        drop(holding.await);
    }

    fn held(db: &DatabaseConnection, holder: Uuid) -> Self {
        let (beating, mut stop) = oneshot::channel();
        let db = db.clone();
        let holding = tokio::spawn(async move {
            let renewal =
                format!("UPDATE auth_migration_lock SET beat = beat + 1 WHERE id = 1 AND holder = '{holder}'");
            // A statement under way is finished: a driver must not be dropped in the middle of one.
            while timeout(BEAT, &mut stop).await.is_err() {
                // One that fails is made up for by the next one.
                drop(db.execute_unprepared(&renewal).await);
            }
            let deletion = format!("DELETE FROM auth_migration_lock WHERE id = 1 AND holder = '{holder}'");
            for _ in 0..DEAD_AFTER {
                match db.execute_unprepared(&deletion).await {
                    Err(error) if is_transient(&error) => sleep(LOOK).await,
                    _ => break,
                }
            }
        });
        Self { beating, holding }
    }
}

/// What somebody who waits has seen of the holder.
#[derive(Debug, Default)]
struct Watched {
    holder: String,
    beat: i64,
    looks: u32,
}

impl Watched {
    /// Whether the holder has not moved for too many looks.
    fn is_dead(&mut self, holder: String, beat: i64) -> bool {
        if self.holder == holder && self.beat == beat {
            self.looks += 1;
        } else {
            *self = Self { holder, beat, looks: 1 };
        }
        self.looks > DEAD_AFTER
    }
}

/// Tries once to make the row ours.
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
    // An insertion whose outcome was unknown.
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

/// Failed certification, a lock that was not to be had, an error during `COMMIT`, a changed record.
fn is_conflict(error: &DbErr) -> bool {
    matches!(number(error), Some(1213 | 1205 | 1180 | 1020))
}

/// Also a node that is not ready yet.
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
    fn a_holder_counts_as_dead_only_when_it_stands_still() {
        let mut watched = Watched::default();
        let holder = || "holder".to_owned();
        assert!((0..DEAD_AFTER).all(|_| !watched.is_dead(holder(), 7)));
        assert!(!watched.is_dead(holder(), 8), "it moved at the last moment");
        assert!((1..DEAD_AFTER).all(|_| !watched.is_dead(holder(), 8)));
        assert!(watched.is_dead(holder(), 8));
        assert!(!watched.is_dead("another".to_owned(), 8));
    }
}
