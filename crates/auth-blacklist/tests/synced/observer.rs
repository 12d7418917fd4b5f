//! What an observer is told of the log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{LogIdentity, LogObserver, LogProgress};
use auth_core::memory::MemoryStore;
use auth_core::{Clock as _, RevocationLog as _};

use crate::fixture::{BOUND, FaultyLog, clock, logout, sync, token};

/// Observer that writes down what it is told.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl LogObserver for Notes {
    fn reset(&self, _identity: LogIdentity) {
        self.0.lock().unwrap().push("reset".to_owned());
    }

    fn read(&self, progress: &LogProgress<'_>) {
        let positions: Vec<_> = progress.entries.iter().map(|entry| entry.position.0).collect();
        self.0.lock().unwrap().push(format!("{positions:?} to {}", progress.position.0));
    }

    fn complete(&self, as_of: Duration) {
        self.0.lock().unwrap().push(format!("complete at {}", as_of.as_secs()));
    }
}

#[tokio::test]
async fn an_observer_is_told_every_entry_once_and_in_order() {
    let (log, clock, notes) = (FaultyLog::new(), clock(), Arc::new(Notes::default()));
    let options = SyncOptions { max_staleness: BOUND, page: 3 };
    let node = SyncedBlacklist::new(log.clone(), clock.clone(), options).observed_by(notes.clone());
    for _ in 0..4 {
        log.append(&[logout(&token(&clock))]).await.unwrap();
    }
    sync(&node).await;
    assert_eq!(notes.take(), ["reset", "[1, 2, 3] to 3", "[4] to 4", "complete at 5"]);
    sync(&node).await;
    assert_eq!(notes.take(), ["[] to 4", "complete at 5"]);
    *log.age.lock().unwrap() = Duration::from_secs(2);
    log.append(&[logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    assert_eq!(notes.take(), ["[5] to 5", "complete at 3"], "a copy says its age");
}

#[tokio::test]
async fn an_observer_is_told_to_forget_when_the_log_is_read_from_its_beginning() {
    let (log, clock, notes) = (FaultyLog::new(), clock(), Arc::new(Notes::default()));
    let options = SyncOptions { max_staleness: BOUND, page: 3 };
    let node = SyncedBlacklist::new(log.clone(), clock.clone(), options).observed_by(notes.clone());
    log.append(&[logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    notes.take();
    // The last entry is purged: whether the log is the same one cannot be told.
    clock.advance(Duration::from_secs(6 * 3600));
    log.purge(clock.now(), 10).await.unwrap();
    sync(&node).await;
    assert_eq!(notes.take()[..2], ["reset", "[] to 1"]);
    log.replace(Arc::new(MemoryStore::new().unwrap()));
    sync(&node).await;
    let told = notes.take();
    assert_eq!(told.iter().filter(|line| *line == "reset").count(), 1, "{told:?}");
}
