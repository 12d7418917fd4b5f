//! A SQLite file that is moved, removed or replaced while it is open.

use std::fs;
use std::path::{Path, PathBuf};

use auth_core::blacklist::Position;
use auth_core::{RevocationLog as _, RevocationSource as _, SideEffects, StoreErrorKind, UserStore as _};
use auth_storage::{Database, SeaRevocationLog, SeaUserStore};
use auth_testing::databases::TestDatabase;

use crate::support::{claims, execute, logout, new_user, number, open};

mod sqlite {
    auth_testing::on_database!(
        Sqlite: nothing_is_read_or_written_while_the_file_is_away,
        a_file_that_was_replaced_is_not_read_and_its_successor_not_written
    );
}

async fn nothing_is_read_or_written_while_the_file_is_away(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    log.append(&[logout()]).await.unwrap();
    let (here, away) = (path(&database), path(&database).with_extension("away"));
    fs::rename(&here, &away).unwrap();
    is_unavailable(&opened, &users, &log).await;

    fs::rename(&away, &here).unwrap();
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(1), "as it was");
    log.append(&[logout()]).await.unwrap();
    users.insert(new_user("late"), SideEffects::default()).await.unwrap();
}

async fn a_file_that_was_replaced_is_not_read_and_its_successor_not_written(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    log.append(&[logout()]).await.unwrap();
    let copy = path(&database).with_extension("copy");
    execute(&opened, &format!("VACUUM INTO '{}'", copy.display())).await;
    log.append(&[logout()]).await.unwrap();
    for beside in ["db-wal", "db-shm"] {
        fs::remove_file(path(&database).with_extension(beside)).unwrap();
    }
    fs::rename(&copy, path(&database)).unwrap();
    is_unavailable(&opened, &users, &log).await;

    let (successor, _, new_log) = open(&database).await;
    new_log.append(&[logout(), logout()]).await.unwrap();
    // The end of the old one must not take the write-ahead log of the new one along.
    opened.close().await.unwrap();
    assert_eq!(new_log.read_after(Position(0), 10).await.unwrap().head, Position(3));
    successor.close().await.unwrap();
    let (again, _, _) = open(&database).await;
    assert_eq!(number(&again, "SELECT COUNT(*) FROM auth_blacklist").await, 3);
    assert_eq!(number(&again, "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'").await, 1);
}

/// Every way to the database is closed.
async fn is_unavailable(opened: &Database, users: &SeaUserStore, log: &SeaRevocationLog) {
    let errors = [
        log.append(&[logout()]).await.unwrap_err(),
        log.read_after(Position(0), 10).await.unwrap_err(),
        log.covers(&claims()).await.unwrap_err(),
        users.list(None, 10).await.unwrap_err(),
        opened.ping().await.unwrap_err(),
        opened.begin_write().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(format!("{error:?}").contains("FileWasReplaced"), "{error:?}");
    }
}

fn path(database: &TestDatabase) -> PathBuf {
    Path::new(database.url().trim_start_matches("sqlite://")).to_owned()
}
