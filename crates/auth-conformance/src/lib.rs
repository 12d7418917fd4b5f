#![doc = include_str!("../README.md")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use auth_core::blacklist::{Position, UnsyncedBlacklist};
use auth_core::clients::ClientStore;
use auth_core::keys::KeyStore;
use auth_core::letters::LetterId;
use auth_core::recovery::OneTimeTokenId;
use auth_core::throttle::AttemptKey;
use auth_core::{
    AttemptStore, Blacklist, ClientId, Clock, OneTimeTokenStore, Outbox, PersonalTokenId, PersonalTokenStore,
    RevocationLog, SessionId, SessionStore, UserId, UserStore,
};

mod attempts;
mod blacklist;
mod cancellation;
mod changes;
mod clients;
mod conflicts;
mod executor;
mod faults;
mod keys;
mod letter_samples;
mod log;
mod nodes;
mod one_time_tokens;
mod outbox;
mod personal_tokens;
mod profiles;
mod purge;
mod recovery;
mod roles;
mod samples;
mod sessions;
mod side_effects;
mod users;

pub use executor::{block_on, pass};

/// The stores under test, opened over one database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoresUnderTest {
    /// The user store.
    pub users: Arc<dyn UserStore>,
    /// The log that [`UserStore::change_and_revoke`] appends to.
    pub log: Arc<dyn RevocationLog>,
}

impl StoresUnderTest {
    /// A user store and the log that it appends to.
    pub fn new(users: Arc<dyn UserStore>, log: Arc<dyn RevocationLog>) -> Self {
        Self { users, log }
    }
}

/// A future that runs by itself.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An empty database of its own for one check, and how the stores are opened over it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Opens the stores. A check calls it more than once: beside stores that are open, as another node would, and after
    /// it has dropped them, as a process that starts again would. All of them are over the same database, which was empty
    /// at the first call.
    async fn open(&self) -> StoresUnderTest;

    /// The blacklist over `stores` that the service would use, at the time that `clock` tells.
    ///
    /// Default: [`UnsyncedBlacklist`]. Replace it to test a [`Blacklist`] of your own.
    async fn blacklist(&self, stores: &StoresUnderTest, clock: Arc<dyn Clock>) -> Arc<dyn Blacklist> {
        let _ = clock;
        Arc::new(UnsyncedBlacklist::new(Arc::clone(&stores.log)))
    }

    /// Opens the attempt store, over the database of the other stores; like [`open`](Self::open) more than once in a check.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn attempts(&self) -> Option<Arc<dyn AttemptStore>> {
        None
    }

    /// Opens the session store, over the database of the other stores. Like [`open`](Self::open), a check calls it more than once.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn sessions(&self) -> Option<Arc<dyn SessionStore>> {
        None
    }

    /// Opens the store of one-time tokens, over the database of the other stores. Like [`open`](Self::open), a check calls it more
    /// than once.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn one_time_tokens(&self) -> Option<Arc<dyn OneTimeTokenStore>> {
        None
    }

    /// Opens the outbox for letters, over the database of the other stores. Like [`open`](Self::open), a check calls it more than
    /// once. Its letters are written by [`one_time_tokens`](Self::one_time_tokens) and by the user store.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        None
    }

    /// Opens the store of personal access tokens, over the database of the other stores. Like [`open`](Self::open), a check calls it
    /// more than once.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn personal_tokens(&self) -> Option<Arc<dyn PersonalTokenStore>> {
        None
    }

    /// Opens the store of keys, over the database of the other stores. Like [`open`](Self::open), a check calls it more than once.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn keys(&self) -> Option<Arc<dyn KeyStore>> {
        None
    }

    /// Opens the store of clients, over the database of the other stores. Like [`open`](Self::open), a check calls it more than once.
    ///
    /// Default: `None`, which says that there is none. Its rules are then not tried.
    async fn clients(&self) -> Option<Arc<dyn ClientStore>> {
        None
    }

    /// Starts a task that runs beside the check, so that rivals run in parallel.
    ///
    /// Default: a thread of its own with [`block_on`], which suits stores that need no runtime. For a store over tokio:
    /// `drop(tokio::spawn(task))`.
    fn spawn(&self, task: Task) {
        // A task that could not be started is dropped, and the check that waits for it says so.
        drop(std::thread::Builder::new().spawn(move || block_on(task)));
    }

    /// Makes the database unreachable for all stores that were opened, for good. `false` where that cannot be done: what
    /// an outage looks like is then not tried.
    async fn cut_off(&self) -> bool {
        false
    }

    /// Makes the database refuse each new entry of the log at the statement that inserts it, or take them again. Where a database may
    /// end a transaction by itself, let it do so: what is tried is whether the stores notice. `false` where that cannot be
    /// done: what comes after a refused write is then not tried.
    async fn refuse_entries(&self, refuse: bool) -> bool {
        let _ = refuse;
        false
    }

    /// Makes one row unreadable, as a hand at the wrong place would. `false` where that cannot be done: what a damaged
    /// row looks like is then not tried.
    async fn damage(&self, row: Row) -> bool {
        let _ = row;
        false
    }

    /// Makes the database do this once to stores that are open. `false` where that cannot be done: what happens then is not tried.
    async fn disturb(&self, disturbance: Disturbance) -> bool {
        let _ = disturbance;
        false
    }
}

/// Something that a database may do to a correct store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disturbance {
    /// The next transaction that writes is rolled back in favour of another one: a deadlock, a failed serialization or
    /// certification.
    Conflict,
    /// The next transaction that writes is committed, and its connection is lost before the answer arrives.
    LostAnswer,
    /// Writes arrive late from now on, at every node but the one that the stores opened first are connected to.
    Lag,
}

/// A stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Row {
    /// The row of a user: for example an e-mail address without `@`.
    User(UserId),
    /// An entry of the log: for example a reason that is none.
    Entry(Position),
    /// A counter of attempts: for example an instant beyond the calendar.
    Counter(AttemptKey),
    /// A session: for example a digest that is none.
    Session(SessionId),
    /// A one-time token: for example an address without `@`. By digest, user and key of the address it is still found.
    OneTimeToken(OneTimeTokenId),
    /// A letter: for example a kind that is none.
    Letter(LetterId),
    /// A personal token: for example a name of no characters. By digest and user it is still found.
    PersonalToken(PersonalTokenId),
    /// The keys: for example an algorithm that is none.
    Keys,
    /// A client: for example a secret that is no digest.
    Client(ClientId),
}

/// A rule of the contract, with the test of it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ContractCheck {
    /// The name, as in the name of its test.
    pub id: &'static str,
    /// The rule, as a sentence.
    pub rule: &'static str,
    /// The consequence of breaking it.
    pub why: &'static str,
    run: for<'b> fn(&'b dyn Backend) -> Running<'b>,
}

type Running<'b> = Pin<Box<dyn Future<Output = Result<(), CheckError>> + Send + 'b>>;

/// The reason for which a check did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The rule is broken, and how that was seen.
    #[error("{0}")]
    Broken(String),
    /// The [`Backend`] cannot do what the check needs.
    #[error("not tried: {0}")]
    NotTried(&'static str),
}

impl ContractCheck {
    /// Tries the rule over a backend that no other check has used.
    ///
    /// # Errors
    ///
    /// Says how the rule was broken, or why it could not be tried.
    pub async fn run(&self, backend: &dyn Backend) -> Result<(), CheckError> {
        (self.run)(backend).await
    }

    /// Tries the rule and fails the test if it is broken. A rule that could not be tried is one line on standard error.
    ///
    /// # Panics
    ///
    /// When the rule is broken, with its name, what goes wrong without it and what was seen.
    #[expect(clippy::print_stderr, reason = "a check that was not tried says so")]
    pub async fn assert(&self, backend: &dyn Backend) {
        match self.run(backend).await {
            Ok(()) => {}
            Err(CheckError::NotTried(why)) => eprintln!("not tried: {}: {why}", self.id),
            Err(CheckError::Broken(seen)) => {
                panic!("{} is broken: {}.\nSeen: {seen}.\nWithout the rule {}.", self.id, self.rule, self.why)
            }
        }
    }
}

impl fmt::Debug for ContractCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// All checks.
#[must_use]
pub fn checks() -> Vec<ContractCheck> {
    [
        users::CHECKS,
        changes::CHECKS,
        log::CHECKS,
        purge::CHECKS,
        blacklist::CHECKS,
        nodes::CHECKS,
        cancellation::CHECKS,
        faults::CHECKS,
        conflicts::CHECKS,
        recovery::CHECKS,
        attempts::CHECKS,
        sessions::CHECKS,
        profiles::CHECKS,
        roles::CHECKS,
        one_time_tokens::CHECKS,
        side_effects::CHECKS,
        outbox::CHECKS,
        keys::CHECKS,
        clients::CHECKS,
        personal_tokens::CHECKS,
    ]
    .concat()
}

/// The check of this name.
#[must_use]
pub fn check(id: &str) -> Option<ContractCheck> {
    checks().into_iter().find(|check| check.id == id)
}

/// Makes one `#[test]` of every check, named as the check is.
///
/// The argument is a function or a closure that runs one [`ContractCheck`] to its end, on a runtime of
/// your choice and over a new [`Backend`]:
///
/// ```
/// # use auth_conformance::{Backend, ContractCheck, StoresUnderTest, block_on};
/// # struct MyBackend;
/// # #[async_trait::async_trait] impl Backend for MyBackend {
/// #     async fn open(&self) -> StoresUnderTest { unimplemented!() }
/// # }
/// # impl MyBackend { async fn empty() -> Self { Self } }
/// auth_conformance::conformance_tests!(|check: ContractCheck| block_on(async {
///     check.assert(&MyBackend::empty().await).await;
/// }));
/// ```
///
/// Use it once in a module. Two backends are two modules.
#[macro_export]
macro_rules! conformance_tests {
    ($run:expr) => {
        $crate::__conformance_users!($run);
        $crate::__conformance_changes!($run);
        $crate::__conformance_log!($run);
        $crate::__conformance_purge!($run);
        $crate::__conformance_blacklist!($run);
        $crate::__conformance_nodes!($run);
        $crate::__conformance_cancellation!($run);
        $crate::__conformance_faults!($run);
        $crate::__conformance_conflicts!($run);
        $crate::__conformance_recovery!($run);
        $crate::__conformance_attempts!($run);
        $crate::__conformance_sessions!($run);
        $crate::__conformance_profiles!($run);
        $crate::__conformance_roles!($run);
        $crate::__conformance_one_time_tokens!($run);
        $crate::__conformance_side_effects!($run);
        $crate::__conformance_outbox!($run);
        $crate::__conformance_keys!($run);
        $crate::__conformance_clients!($run);
        $crate::__conformance_personal_tokens!($run);
    };
}

/// The rules of one group: `name: rule, what goes wrong without it;` where `name` is the function that tries it. Makes
/// `CHECKS` and the macro `$tests` with one test for each. (`$` comes in as an argument, for the macro within.)
macro_rules! rules {
    (($d:tt) $tests:ident: $($id:ident: $rule:literal, $why:literal;)+) => {
        pub(super) const CHECKS: &[$crate::ContractCheck] = &[$($crate::ContractCheck {
            id: stringify!($id),
            rule: $rule,
            why: $why,
            run: |backend| Box::pin($id(backend)),
        }),+];

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $tests {
            ($d run:expr) => {$(
                #[test]
                fn $id() {
                    ($d run)($crate::check(stringify!($id)).expect("every rule has a check"));
                }
            )+};
        }
    };
}
use rules;

/// Ends the check with what was seen unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::CheckError::Broken(format!($($message)+)));
        }
    };
}
use ensure;
