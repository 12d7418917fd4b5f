//! SQLite under faults, at every step of every write: an interrupt, a refused commit, a full database, a failing disk.
//!
//! SQLite ends a transaction by itself at such an error. After each fault the tests heal the database and check that
//! everything acknowledged is there, nothing is half written, and the next write is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use auth_storage::{ConnectOptions, Database};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

#[cfg(target_os = "linux")]
mod disk;
mod ledger;
mod migrations;

use ledger::{Ledger, Write};

use crate::support::{execute, number, open_with};

/// What goes wrong on the one connection of a pool.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The n-th step of SQLite's virtual machine is interrupted.
    InterruptAt(u64),
    /// So is every step from the n-th on, until the fault is healed.
    InterruptFrom(u64),
    /// The first commit is turned into a rollback.
    RefuseCommit,
}

/// A fault that waits for its moment.
#[derive(Debug, Clone, Default)]
struct Armed {
    steps: Arc<AtomicU64>,
    happened: Arc<AtomicBool>,
    healed: Arc<AtomicBool>,
}

impl Fault {
    async fn arm(self, database: &Database) -> Armed {
        let armed = Armed::default();
        let Armed { steps, happened, healed } = armed.clone();
        let mut connection = database.connection().get_sqlite_connection_pool().acquire().await.unwrap();
        let mut handle = connection.lock_handle().await.unwrap();
        handle.remove_progress_handler();
        handle.remove_commit_hook();
        if let Self::RefuseCommit = self {
            handle.set_commit_hook(move || healed.load(Ordering::SeqCst) || happened.swap(true, Ordering::SeqCst));
            return armed;
        }
        handle.set_progress_handler(1, move || {
            if healed.load(Ordering::SeqCst) {
                return true;
            }
            let step = steps.fetch_add(1, Ordering::SeqCst);
            let interrupt = match self {
                Self::InterruptAt(at) => step == at,
                Self::InterruptFrom(from) => step >= from,
                Self::RefuseCommit => false,
            };
            happened.fetch_or(interrupt, Ordering::SeqCst);
            !interrupt
        });
        armed
    }
}

impl Armed {
    fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
    }

    fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }
}

/// One connection, so that the next caller gets the one that failed unless it was replaced.
fn one_connection() -> ConnectOptions {
    ConnectOptions { max_connections: Some(1), ..ConnectOptions::default() }
}

/// Where the database is.
#[derive(Debug, Clone, Copy)]
enum Place {
    File,
    Memory,
}

impl Place {
    async fn run<F: Future<Output = ()>>(self, test: impl FnOnce(TestDatabase) -> F) {
        auth_testing::databases::run(TestDatabaseKind::Sqlite, |file| async move {
            test(match self {
                Self::File => file,
                Self::Memory => TestDatabase::in_memory(),
            })
            .await;
        })
        .await;
    }
}

/// Whether SQLite and the driver agree that the one connection is in no transaction: what a reader sees is committed then.
async fn assert_no_transaction(database: &Database) {
    let mut connection = database.connection().get_sqlite_connection_pool().acquire().await.unwrap();
    assert!(!connection.is_in_transaction(), "the driver counts a transaction");
    let begun = connection.begin_with("SELECT 1").await;
    assert!(matches!(begun, Err(sqlx::Error::BeginFailed)), "SQLite is in a transaction");
}

/// Runs `write` with this fault and then heals. Returns whether the fault happened.
async fn survive(ledger: &mut Ledger, write: Write, fault: Fault) -> bool {
    let armed = fault.arm(ledger.database()).await;
    let outcome = ledger.perform(write).await;
    armed.heal();
    if !armed.happened() {
        outcome.unwrap_or_else(|error| panic!("{write:?} failed without a fault: {error:?}"));
        return false;
    }
    assert_no_transaction(ledger.database()).await;
    ledger.assert_sound(&format!("{write:?} and {fault:?}")).await;
    // What is acknowledged from here on counts again.
    for next in [Write::Logout, Write::Register] {
        ledger.perform(next).await.unwrap_or_else(|error| panic!("{next:?} after {write:?} and {fault:?}: {error:?}"));
    }
    assert_no_transaction(ledger.database()).await;
    ledger.assert_sound(&format!("{write:?} and {fault:?}, healed")).await;
    true
}

async fn every_step_of_every_write(place: Place) {
    for write in Write::ALL {
        place
            .run(|database| async move {
                let mut ledger = Ledger::open(&database, one_connection()).await;
                let mut step = 0;
                // Until the write ends before the fault.
                while survive(&mut ledger, write, Fault::InterruptAt(step)).await {
                    step += 1;
                }
                assert!(step > 10, "{write:?} was never interrupted in the middle");
                // A fault that lasts. Steps in between are enough here.
                let mut step = 0;
                while survive(&mut ledger, write, Fault::InterruptFrom(step)).await {
                    step += 29;
                }
                assert!(survive(&mut ledger, write, Fault::RefuseCommit).await, "{write:?} did not commit");
                ledger.perform(Write::Check).await.unwrap();
                ledger.assert_sound_after_reopening(&database).await;
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_every_write_to_a_file() {
    every_step_of_every_write(Place::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_every_write_to_memory() {
    every_step_of_every_write(Place::Memory).await;
}

/// `SQLITE_FULL` from the database itself, at whichever statement needs the next page.
async fn a_full_database(place: Place) {
    place
        .run(|database| async move {
            let mut ledger = Ledger::open(&database, one_connection()).await;
            for room in 0..24 {
                let pages = number(ledger.database(), "PRAGMA page_count").await + room % 4;
                execute(ledger.database(), &format!("PRAGMA max_page_count = {pages}")).await;
                let mut failed = false;
                for write in Write::ALL.into_iter().cycle().skip(usize::try_from(room).unwrap()).take(2_000) {
                    failed = ledger.perform(write).await.is_err();
                    if failed {
                        break;
                    }
                }
                assert!(failed, "it was never full");
                ledger.assert_sound("full").await;
                execute(ledger.database(), "PRAGMA max_page_count = 1073741823").await;
                assert_no_transaction(ledger.database()).await;
                for write in [Write::Logout, Write::Register, Write::Everywhere, Write::Check] {
                    ledger.perform(write).await.unwrap_or_else(|error| panic!("{write:?} after room: {error:?}"));
                }
                assert_no_transaction(ledger.database()).await;
                ledger.assert_sound("room again").await;
            }
            ledger.assert_sound_after_reopening(&database).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_file_heals() {
    a_full_database(Place::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_in_memory_heals() {
    a_full_database(Place::Memory).await;
}

/// A transaction within a transaction, ended by SQLite: the driver counts two that are not there.
async fn a_nested_transaction(place: Place) {
    place
        .run(|database| async move {
            let (opened, _, _) = open_with(&database, one_connection()).await;
            execute(&opened, "CREATE TABLE notes (note TEXT)").await;
            let refusal = "CREATE TRIGGER refusal BEFORE INSERT ON notes WHEN NEW.note = 'refused'
                           BEGIN SELECT RAISE(ROLLBACK, 'refused'); END";
            execute(&opened, refusal).await;
            {
                let outer = opened.connection().begin().await.unwrap();
                let inner = outer.begin().await.unwrap();
                inner.execute_unprepared("INSERT INTO notes VALUES ('refused')").await.unwrap_err();
            }
            assert_no_transaction(&opened).await;
            execute(&opened, "INSERT INTO notes VALUES ('kept')").await;
            assert_no_transaction(&opened).await;
            assert_eq!(number(&opened, "SELECT COUNT(*) FROM notes").await, 1);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nested_transaction_that_sqlite_ended_leaves_nothing_behind() {
    a_nested_transaction(Place::File).await;
    a_nested_transaction(Place::Memory).await;
}
