//! Databases to measure on, with the schema in them, gone afterwards.

use std::sync::Arc;

use auth_core::{KeyStore, RevocationLog, SessionId, UserStore};
use auth_storage::{
    ConnectOptions, Database, SeaKeyStore, SeaOneTimeTokenStore, SeaRevocationLog, SeaSessionStore, SeaUserStore,
};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm::{ConnectionTrait as _, Statement};

use crate::Failure;
use crate::options::Options;

/// An empty database with the schema.
pub(crate) struct BenchDatabase {
    pub(crate) kind: TestDatabaseKind,
    pub(crate) url: String,
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) log: Arc<dyn RevocationLog>,
    pub(crate) sessions: Arc<SeaSessionStore>,
    pub(crate) one_time_tokens: SeaOneTimeTokenStore,
    database: Database,
}

impl BenchDatabase {
    async fn open(database: &TestDatabase) -> Result<Self, Failure> {
        let connected = auth_storage::connect(database.url(), ConnectOptions::default()).await?;
        auth_migrations::up(connected.connection()).await?;
        Ok(Self {
            kind: database.kind(),
            url: database.url().to_owned(),
            users: Arc::new(SeaUserStore::new(connected.clone())),
            log: Arc::new(SeaRevocationLog::new(connected.clone())),
            sessions: Arc::new(SeaSessionStore::new(connected.clone())),
            one_time_tokens: SeaOneTimeTokenStore::new(connected.clone()),
            database: connected,
        })
    }

    /// Rows in bulk, as no method of a store makes them.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        self.database.connection().execute_unprepared(sql).await?;
        Ok(())
    }

    /// Writes one column of a session in a transaction of its own.
    pub(crate) async fn touch(&self, session: SessionId) -> Result<(), Failure> {
        const TOUCH: &str = "UPDATE auth_sessions SET last_used_at = last_used_at + 1 WHERE id = $1";
        let transaction = self.database.begin_write().await?;
        let backend = transaction.get_database_backend();
        transaction.execute_raw(Statement::from_sql_and_values(backend, TOUCH, [session.as_uuid().into()])).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The keys that sign tokens.
    pub(crate) fn keys(&self) -> Arc<dyn KeyStore> {
        Arc::new(SeaKeyStore::new(self.database.clone()))
    }

    /// The name of the kind of database.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            TestDatabaseKind::Sqlite => "SQLite",
            TestDatabaseKind::Postgres => "PostgreSQL",
            TestDatabaseKind::MySql => "MySQL",
        }
    }
}

/// Runs `bench` over a database of this kind. `None` if there is no server for it.
pub(crate) async fn with<T>(
    options: &Options,
    kind: TestDatabaseKind,
    bench: impl AsyncFnOnce(BenchDatabase) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let server = match kind {
        TestDatabaseKind::Sqlite => String::new(),
        _ => match options.postgres() {
            Some(server) => server,
            None => return Ok(None),
        },
    };
    let run = async |database: TestDatabase| bench(BenchDatabase::open(&database).await?).await;
    auth_testing::databases::run_on(kind, &server, run).await.map(Some)
}
