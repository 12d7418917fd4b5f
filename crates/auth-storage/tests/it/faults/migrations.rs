//! The migrator under faults.

use auth_storage::connect;

use super::{Fault, Place, assert_no_transaction, one_connection};
use crate::support::{logout, number};

/// A prime, so that the faults fall on different instructions of the statements.
const STRIDE: usize = 61;

async fn interrupted_migrations(place: Place) {
    for step in (0..).step_by(STRIDE) {
        let mut happened = false;
        let seen = &mut happened;
        place
            .run(|database| async move {
                let opened = connect(database.url(), one_connection()).await.unwrap();
                let armed = Fault::InterruptAt(step).arm(&opened).await;
                let outcome = auth_migrations::up(opened.connection()).await;
                armed.heal();
                *seen = armed.happened();
                if outcome.is_err() {
                    assert_no_transaction(&opened).await;
                    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'";
                    assert_eq!(number(&opened, tables).await, 0, "step {step}: half a migration is there");
                }
                auth_migrations::up(opened.connection()).await.unwrap();
                assert!(auth_migrations::is_current(opened.connection()).await.unwrap());
                assert_no_transaction(&opened).await;
                let log = auth_storage::SeaRevocationLog::new(opened);
                auth_core::RevocationLog::append(&log, &[logout()]).await.unwrap();
            })
            .await;
        if !happened {
            assert!(step > 0, "the migration was never interrupted");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_migration_of_a_file_leaves_nothing_and_can_be_repeated() {
    interrupted_migrations(Place::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_migration_in_memory_leaves_nothing_and_can_be_repeated() {
    interrupted_migrations(Place::Memory).await;
}
