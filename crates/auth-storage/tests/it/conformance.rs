//! The contract of every store, on every database that there is.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_core::conformance::{Backend, Check, Row, Stores, Task, attempts};
use auth_storage::{Database, SeaAttemptStore};
use auth_test_db::{Kind, TestDatabase};

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
    async fn open(&self) -> Stores {
        let (opened, users, log) = open(&self.database).await;
        self.opened.lock().unwrap().push(opened);
        Stores::new(Arc::new(users), Arc::new(log))
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

    async fn damage(&self, row: Row) -> bool {
        let sql = match row {
            Row::User(id) => {
                let id = uuid_literal(self.database.kind(), id.as_uuid());
                format!("UPDATE users SET email = 'no address' WHERE id = {id}")
            }
            Row::Entry(position) => {
                format!("UPDATE blacklist SET reason = 'nonsense' WHERE position = {}", position.0)
            }
            _ => return false,
        };
        execute(&self.opened()[0], &sql).await;
        true
    }
}

fn run(kind: Kind, check: Check) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(auth_test_db::run(kind, |database| async move {
        check.assert(&Sea { database, opened: Mutex::default() }).await;
    }));
}

mod sqlite {
    auth_core::conformance_tests!(|check| super::run(auth_test_db::Kind::Sqlite, check));
}

mod postgres {
    auth_core::conformance_tests!(|check| super::run(auth_test_db::Kind::Postgres, check));
}

mod mysql {
    auth_core::conformance_tests!(|check| super::run(auth_test_db::Kind::MySql, check));
}

mod counters {
    auth_test_db::on_every_database!(the_contract_of_attempts_holds);

    use super::the_contract_of_attempts_holds;
}

async fn the_contract_of_attempts_holds(database: TestDatabase) {
    attempts::run(async || {
        let (opened, ..) = open(&database).await;
        auth_migrations::down(opened.connection(), u32::MAX).await.unwrap();
        auth_migrations::up(opened.connection()).await.unwrap();
        SeaAttemptStore::new(opened)
    })
    .await;
}
