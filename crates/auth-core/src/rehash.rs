//! Replacement of a stored password hash by one of the configured scheme and cost, after a login.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::events;
use crate::password::{AsyncPasswordHasher, Password};
use crate::user::{StoredCredentials, UserStore};

/// A task that runs by itself.
pub(crate) type BackgroundTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The function that starts a [`BackgroundTask`], for example on an async runtime.
#[derive(Clone)]
pub(crate) struct Spawner(Arc<dyn Fn(BackgroundTask) + Send + Sync>);

impl Spawner {
    pub(crate) fn new(spawn: impl Fn(BackgroundTask) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    /// Starts a task.
    pub(crate) fn spawn(&self, task: BackgroundTask) {
        (self.0)(task);
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

/// Counts of the hashes that were to be replaced after a login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeStats {
    /// Hashes that were replaced by one of the configured scheme and cost.
    pub upgraded: u64,
    /// Hashes that were left for another login, because the hashing threads had other work or an upgrade was under way.
    pub shed: u64,
    /// Hashes that were left alone, because the password was changed meanwhile.
    pub superseded: u64,
    /// Hashes that were not replaced, because the hash function or the store failed.
    pub failed: u64,
}

/// Replaces stored hashes in the background: best effort, at most one at a time, and only while the hashing threads are idle.
#[derive(Debug)]
pub(crate) struct HashUpgrades {
    users: Arc<dyn UserStore>,
    passwords: Arc<dyn AsyncPasswordHasher>,
    spawner: Option<Spawner>,
    busy: AtomicBool,
    upgraded: AtomicU64,
    shed: AtomicU64,
    superseded: AtomicU64,
    failed: AtomicU64,
}

impl HashUpgrades {
    /// Returns the upgrades of the hashes in `users`. Without a spawner no hash is ever replaced.
    pub(crate) fn new(
        users: Arc<dyn UserStore>,
        passwords: Arc<dyn AsyncPasswordHasher>,
        spawner: Option<Spawner>,
    ) -> Self {
        Self {
            users,
            passwords,
            spawner,
            busy: AtomicBool::default(),
            upgraded: AtomicU64::default(),
            shed: AtomicU64::default(),
            superseded: AtomicU64::default(),
            failed: AtomicU64::default(),
        }
    }

    /// Starts the upgrade of a hash in the background, unless there is other work.
    pub(crate) fn offer(self: &Arc<Self>, stored: &StoredCredentials, password: Password) {
        let Some(spawner) = &self.spawner else { return };
        match Upgrade::begin(self) {
            Some(upgrade) => spawner.spawn(Box::pin(upgrade.run(stored.clone(), password))),
            None => drop(self.shed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(crate) fn stats(&self) -> UpgradeStats {
        UpgradeStats {
            upgraded: self.upgraded.load(Ordering::Relaxed),
            shed: self.shed.load(Ordering::Relaxed),
            superseded: self.superseded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// The upgrade that is under way. The next one can begin when it is dropped.
struct Upgrade(Arc<HashUpgrades>);

impl Upgrade {
    fn begin(upgrades: &Arc<HashUpgrades>) -> Option<Self> {
        let may_begin = upgrades.passwords.is_idle() && !upgrades.busy.swap(true, Ordering::AcqRel);
        may_begin.then(|| Self(Arc::clone(upgrades)))
    }

    /// Hashes the password and replaces the stored hash if it is still the one that the login was checked against.
    async fn run(self, stored: StoredCredentials, password: Password) {
        let (upgrades, user) = (&self.0, stored.user.id);
        let (outcome, count) = match upgrades.passwords.hash(password).await {
            Err(_) => ("failed", &upgrades.failed),
            Ok(new) => match upgrades.users.replace_hash(user, &stored.password_hash, &new).await {
                Ok(true) => ("upgraded", &upgrades.upgraded),
                Ok(false) => ("superseded", &upgrades.superseded),
                Err(_) => ("failed", &upgrades.failed),
            },
        };
        count.fetch_add(1, Ordering::Relaxed);
        events::hash_upgrade(user, outcome);
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}
