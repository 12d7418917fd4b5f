//! The kit is tested on stores that are broken on purpose: each of them must be caught by the checks that its row names.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Backend, CheckError, Disturbance, Row, StoresUnderTest, Task, block_on, check, checks};
use auth_core::AttemptStore;
use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::clients::ClientStore;
use auth_core::{Blacklist, Clock, KeyStore, OneTimeTokenStore, Outbox, PersonalTokenStore, SessionStore};

mod attempts;
mod blacklist;
mod clients;
mod conflicts;
mod database;
mod faults;
mod keys;
mod log;
mod outbox;
mod personal;
mod revocations;
mod sessions;
mod store;
mod tokens;

use attempts::Attempts;
use blacklist::BrokenBlacklist;
use clients::Clients;
use database::Database;
use faults::{Fault, MUTANTS};
use keys::Keys;
use outbox::Letters;
use personal::PersonalTokens;
use sessions::Sessions;
use store::Store;
use tokens::Tokens;

struct Broken {
    fault: Fault,
    database: Mutex<Arc<Database>>,
    opened: AtomicU64,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self { fault, database: Mutex::new(Database::new(fault)), opened: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Backend for Broken {
    async fn open(&self) -> StoresUnderTest {
        let number = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let mut database = self.database.lock().unwrap();
        if self.fault == Fault::ForgetsOnReopen {
            *database = Database::new(self.fault);
        }
        database.log.restart();
        let store = Arc::new(Store::new(database.clone(), number.into()));
        StoresUnderTest::new(store.clone(), store)
    }

    async fn blacklist(&self, stores: &StoresUnderTest, clock: Arc<dyn Clock>) -> Arc<dyn Blacklist> {
        if !self.fault.is_of_blacklist() {
            return Arc::new(UnsyncedBlacklist::new(stores.log.clone()));
        }
        Arc::new(BrokenBlacklist {
            fault: self.fault,
            log: stores.log.clone(),
            clock,
            memory: Mutex::default(),
            waiting: Mutex::default(),
        })
    }

    async fn attempts(&self) -> Option<Arc<dyn AttemptStore>> {
        Some(Arc::new(Attempts::new(self.database.lock().unwrap().clone())))
    }

    async fn sessions(&self) -> Option<Arc<dyn SessionStore>> {
        Some(Arc::new(Sessions::new(self.database.lock().unwrap().clone())))
    }

    async fn personal_tokens(&self) -> Option<Arc<dyn PersonalTokenStore>> {
        Some(Arc::new(PersonalTokens::new(self.database.lock().unwrap().clone())))
    }

    async fn keys(&self) -> Option<Arc<dyn KeyStore>> {
        Some(Arc::new(Keys::new(self.database.lock().unwrap().clone())))
    }

    async fn clients(&self) -> Option<Arc<dyn ClientStore>> {
        Some(Arc::new(Clients::new(self.database.lock().unwrap().clone())))
    }

    async fn one_time_tokens(&self) -> Option<Arc<dyn OneTimeTokenStore>> {
        Some(Arc::new(Tokens::new(self.database.lock().unwrap().clone())))
    }

    async fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        Some(Arc::new(Letters::new(self.database.lock().unwrap().clone())))
    }

    /// One after the other, so that what a check sees is always the same; those in one task still take turns.
    fn spawn(&self, task: Task) {
        if self.fault.needs_threads() {
            std::thread::spawn(move || block_on(task));
        } else {
            block_on(task);
        }
    }

    async fn cut_off(&self) -> bool {
        self.database.lock().unwrap().cut.store(true, Ordering::SeqCst);
        true
    }

    async fn refuse_entries(&self, refuse: bool) -> bool {
        self.database.lock().unwrap().refusing.store(refuse, Ordering::SeqCst);
        true
    }

    async fn damage(&self, row: Row) -> bool {
        self.database.lock().unwrap().damaged.lock().unwrap().push(row);
        true
    }

    async fn disturb(&self, disturbance: Disturbance) -> bool {
        self.database.lock().unwrap().disturbed.by(disturbance);
        true
    }
}

#[test]
fn without_a_fault_every_check_passes() {
    for check in checks() {
        assert_eq!(block_on(check.run(&Broken::new(Fault::None))), Ok(()), "{}", check.id);
    }
}

#[test]
fn every_mutant_is_caught_by_the_checks_that_are_named() {
    let mut survivors = Vec::new();
    for (fault, _, catchers) in MUTANTS {
        for id in *catchers {
            // A fault that shows only to a parallel reader has to meet one: the scheduler decides when.
            let chances = if fault.needs_threads() { 200 } else { 1 };
            let caught = (0..chances).any(|_| {
                let found = block_on(check(id).unwrap().run(&Broken::new(*fault)));
                matches!(found, Err(CheckError::Broken(_)))
            });
            if !caught {
                survivors.push(format!("{fault:?} survives {id}"));
            }
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}

#[test]
fn every_check_catches_a_mutant() {
    let catching: BTreeSet<_> = MUTANTS.iter().flat_map(|mutant| mutant.2.iter().copied()).collect();
    let idle: Vec<_> = checks().into_iter().filter(|check| !catching.contains(check.id)).collect();
    assert!(idle.is_empty(), "nothing shows that these can fail: {idle:?}");
}

#[test]
fn the_documentation_lists_every_check_and_every_mutant() {
    let documentation = include_str!("../../README.md");
    let documented: BTreeSet<_> =
        documentation.lines().filter(|line| line.starts_with("| ")).map(str::to_owned).collect();
    let mut expected: BTreeSet<_> =
        ["| check | rule | without it |", "| a store that | is caught by |"].map(str::to_owned).into();
    expected.extend(checks().iter().map(|check| format!("| `{}` | {} | {} |", check.id, check.rule, check.why)));
    expected.extend(MUTANTS.iter().map(|(_, what, catchers)| {
        format!("| {what} | {} |", catchers.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "))
    }));
    let missing: Vec<_> = expected.difference(&documented).collect();
    let superfluous: Vec<_> = documented.difference(&expected).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "missing: {missing:#?}\nsuperfluous: {superfluous:#?}");
}
