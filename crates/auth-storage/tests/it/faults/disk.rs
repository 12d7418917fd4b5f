//! Writes that the operating system fails, with `RLIMIT_FSIZE` in a process of its own: the limit holds for a whole process.

use std::process::Command;

use auth_storage::Database;
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::assert_no_transaction;
use super::ledger::{Ledger, Write};
use super::one_connection;
use crate::support::execute;

/// Says to the test that it runs in the process of its own.
const OWN_PROCESS: &str = "AUTH_TEST_FILE_SIZE_LIMIT";
const SIGXFSZ: i32 = 25;
/// Half a frame of the write-ahead log, so that a limit falls between frames and within one.
const STEP: u64 = 2_060;

#[test]
fn a_disk_that_fails_at_any_page_of_any_write_loses_nothing() {
    if std::env::var_os(OWN_PROCESS).is_some() {
        return in_this_process();
    }
    let this_test = "faults::disk::a_disk_that_fails_at_any_page_of_any_write_loses_nothing";
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this_test, "--nocapture"])
        .env(OWN_PROCESS, "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(process.status.success(), "{}\n{}", text(&process.stdout), text(&process.stderr));
    assert!(text(&process.stdout).contains("1 passed"), "the test did not run: {}", text(&process.stdout));
}

fn in_this_process() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(auth_testing::databases::run(TestDatabaseKind::Sqlite, every_page_of_every_write));
}

async fn every_page_of_every_write(database: TestDatabase) {
    // A signal that is handled does not end the process: the write fails with `EFBIG`, for SQLite an I/O error.
    let _handled = signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    let mut ledger = Ledger::open(&database, one_connection()).await;
    for write in Write::ALL {
        let mut failures = 0;
        for limit in (0..).step_by(usize::try_from(STEP).unwrap()) {
            // The log begins at its first byte, so that the limit says which page of the write fails.
            truncate_log(ledger.database()).await;
            limit_file_size(Some(limit));
            let outcome = ledger.perform(write).await;
            limit_file_size(None);
            assert_no_transaction(ledger.database()).await;
            ledger.assert_sound(&format!("{write:?} within {limit} bytes")).await;
            if outcome.is_ok() {
                break;
            }
            failures += 1;
            for next in [Write::Logout, Write::Register, Write::Check] {
                ledger.perform(next).await.unwrap_or_else(|error| panic!("{next:?} after {write:?}: {error:?}"));
            }
            assert_no_transaction(ledger.database()).await;
            ledger.assert_sound(&format!("{write:?} within {limit} bytes, healed")).await;
        }
        // SQLite does not write a page that stays the same.
        let unchanged = matches!(write, Write::Promote | Write::Enable);
        assert!(failures > 0 || unchanged, "{write:?} wrote nothing");
    }
    ledger.assert_sound_after_reopening(&database).await;
}

async fn truncate_log(database: &Database) {
    execute(database, "PRAGMA wal_checkpoint(TRUNCATE)").await;
}

/// Limits how large any file may grow by a write of this process.
fn limit_file_size(limit: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: limit, maximum }).unwrap();
}
