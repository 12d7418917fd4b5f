//! The contract of every store, on every database that there is.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Backend, ContractCheck, Disturbance, Row, StoresUnderTest, Task};
use auth_core::clients::ClientStore;
use auth_core::{AttemptStore, KeyStore, OneTimeTokenStore, Outbox, PersonalTokenStore, SessionStore};
use auth_storage::{
    Database, SeaAttemptStore, SeaClientStore, SeaKeyStore, SeaOneTimeTokenStore, SeaOutbox, SeaPersonalTokenStore,
    SeaSessionStore,
};
use auth_testing::databases::{PgBouncer, TestDatabase, TestDatabaseKind};
use uuid::Uuid;

use crate::retries::{conflicts, heal, inject};
use crate::support::{execute, open, uuid_literal};

struct Sea {
    database: TestDatabase,
    opened: Mutex<Vec<Database>>,
}

impl Sea {
    fn opened(&self) -> Vec<Database> {
        self.opened.lock().unwrap().clone()
    }
}

#[async_trait]
impl Backend for Sea {
    async fn open(&self) -> StoresUnderTest {
        let (opened, users, log) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened);
        StoresUnderTest::new(Arc::new(users), Arc::new(log))
    }

    async fn sessions(&self) -> Option<Arc<dyn SessionStore>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaSessionStore::new(opened)))
    }

    async fn attempts(&self) -> Option<Arc<dyn AttemptStore>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaAttemptStore::new(opened)))
    }

    async fn one_time_tokens(&self) -> Option<Arc<dyn OneTimeTokenStore>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaOneTimeTokenStore::new(opened)))
    }

    async fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaOutbox::new(opened)))
    }

    async fn personal_tokens(&self) -> Option<Arc<dyn PersonalTokenStore>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaPersonalTokenStore::new(opened)))
    }

    async fn keys(&self) -> Option<Arc<dyn KeyStore>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaKeyStore::new(opened)))
    }

    async fn clients(&self) -> Option<Arc<dyn ClientStore>> {
        let (opened, ..) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened.clone());
        Some(Arc::new(SeaClientStore::new(opened)))
    }

    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }

    async fn cut_off(&self) -> bool {
        for database in self.opened() {
            database.connection().clone().close().await.unwrap();
        }
        true
    }

    /// By a trigger; that of SQLite ends the whole transaction, as a full disk does.
    async fn refuse_entries(&self, refuse: bool) -> bool {
        let begin: &[&str] = match self.database.kind() {
            TestDatabaseKind::Sqlite => {
                &["CREATE TRIGGER refusal BEFORE INSERT ON auth_blacklist BEGIN SELECT RAISE(ROLLBACK, 'refused'); END"]
            }
            TestDatabaseKind::Postgres => &[
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
                "CREATE TRIGGER refusal BEFORE INSERT ON auth_blacklist FOR EACH ROW EXECUTE FUNCTION refuse()",
            ],
            TestDatabaseKind::MySql => {
                &["CREATE TRIGGER refusal BEFORE INSERT ON auth_blacklist FOR EACH ROW SIGNAL SQLSTATE '45000'"]
            }
        };
        let end: &[&str] = match self.database.kind() {
            TestDatabaseKind::Postgres => &["DROP TRIGGER refusal ON auth_blacklist", "DROP FUNCTION refuse"],
            _ => &["DROP TRIGGER refusal"],
        };
        let opened = self.opened();
        for sql in if refuse { begin } else { end } {
            execute(opened.last().unwrap(), sql).await;
        }
        true
    }

    async fn damage(&self, row: Row) -> bool {
        let sql = match row {
            Row::User(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                format!("UPDATE auth_users SET email = 'no address' WHERE id = {id}")
            }
            Row::Entry(position) => {
                format!("UPDATE auth_blacklist SET reason = 'nonsense' WHERE position = {}", position.0)
            }
            Row::Counter(key) => {
                let id = uuid_literal(self.database.kind(), Uuid::from_bytes(key.as_bytes()));
                format!("UPDATE auth_attempts SET not_before = 9223372036854775807 WHERE id = {id}")
            }
            Row::Session(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                format!("UPDATE auth_sessions SET family = 'nonsense' WHERE id = {id}")
            }
            Row::OneTimeToken(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                // The digest stays, because it is what the row is found by.
                format!("UPDATE auth_one_time_tokens SET sent_to = 'no address' WHERE id = {id}")
            }
            Row::Letter(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                format!("UPDATE auth_letters SET kind = 'nonsense' WHERE id = {id}")
            }
            Row::PersonalToken(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                format!("UPDATE auth_personal_tokens SET name = '' WHERE id = {id}")
            }
            Row::Client(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                format!("UPDATE auth_clients SET secret = 'nonsense' WHERE id = {id}")
            }
            Row::Keys => "UPDATE auth_signing_keys SET algorithm = 'nonsense'".to_owned(),
            _ => return false,
        };
        execute(&self.opened()[0], &sql).await;
        true
    }

    /// Lost answers are tried in `retries`, lag on a cluster in `tests/torture/galera.rs`.
    async fn disturb(&self, disturbance: Disturbance) -> bool {
        if disturbance != Disturbance::Conflict || self.database.kind() == TestDatabaseKind::Sqlite {
            return false;
        }
        let (opened, kind) = (&self.opened()[0], self.database.kind());
        heal(opened, kind).await;
        inject(opened, kind, conflicts(kind).0[0], 1).await;
        true
    }
}

fn run(kind: TestDatabaseKind, check: ContractCheck) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(auth_testing::databases::run(kind, |database| async move {
        check.assert(&Sea { database, opened: Mutex::default() }).await;
    }));
}

/// Behind a PgBouncer in transaction mode.
fn run_behind_a_pooler(check: ContractCheck) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(auth_testing::databases::run(TestDatabaseKind::Postgres, |database| async move {
        let Some(pooler) = PgBouncer::before(&database, "transaction").await else { return };
        check.assert(&Sea { database: pooler.database(&database), opened: Mutex::default() }).await;
    }));
}

mod sqlite {
    auth_conformance::conformance_tests!(|check| super::run(auth_testing::databases::TestDatabaseKind::Sqlite, check));
}

mod postgres {
    auth_conformance::conformance_tests!(|check| super::run(
        auth_testing::databases::TestDatabaseKind::Postgres,
        check
    ));
}

mod pgbouncer {
    auth_conformance::conformance_tests!(super::run_behind_a_pooler);
}

mod mysql {
    auth_conformance::conformance_tests!(|check| super::run(auth_testing::databases::TestDatabaseKind::MySql, check));
}
