//! Upgrading a stored hash after a login: best effort, after the answer, with what the hashing threads have left.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::AuthService;
use crate::password::Password;
use crate::user::StoredCredentials;

type BackgroundTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a task to its end, some time.
#[derive(Clone)]
pub(super) struct Background(Arc<dyn Fn(BackgroundTask) + Send + Sync>);

impl Background {
    pub(super) fn new(spawn: impl Fn(BackgroundTask) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

/// What has become of the hashes that were to be upgraded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeStats {
    /// Replaced by a hash of the configured scheme and cost.
    pub upgraded: u64,
    /// Left for another login because the hashing threads had other work, or an upgrade was under way.
    pub shed: u64,
    /// Left alone because the stored hash was another one by then: the password was changed meanwhile.
    pub superseded: u64,
    /// Not replaced because the hasher or the store failed.
    pub failed: u64,
}

/// At most one upgrade at a time.
pub(super) struct Upgrades {
    background: Option<Background>,
    busy: AtomicBool,
    upgraded: AtomicU64,
    shed: AtomicU64,
    superseded: AtomicU64,
    failed: AtomicU64,
}

impl Upgrades {
    pub(super) fn new(background: Option<Background>) -> Self {
        Self {
            background,
            busy: AtomicBool::default(),
            upgraded: AtomicU64::default(),
            shed: AtomicU64::default(),
            superseded: AtomicU64::default(),
            failed: AtomicU64::default(),
        }
    }
}

/// The one upgrade that is under way; dropped with its task, however that ends.
struct Turn(AuthService);

impl Turn {
    fn take(service: &AuthService) -> Option<Self> {
        let idle = service.parts.passwords.is_idle();
        (idle && !service.parts.upgrades.busy.swap(true, Ordering::AcqRel)).then(|| Self(service.clone()))
    }

    /// Hashes anew and replaces the hash if it is still the one that the login was checked against.
    async fn run(self, stored: StoredCredentials, password: Password) {
        let parts = &self.0.parts;
        let outcome = match parts.passwords.hash(password).await {
            Err(_) => &parts.upgrades.failed,
            Ok(new) => match parts.users.replace_hash(stored.user.id, &stored.password_hash, &new).await {
                Ok(true) => &parts.upgrades.upgraded,
                Ok(false) => &parts.upgrades.superseded,
                Err(_) => &parts.upgrades.failed,
            },
        };
        outcome.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.parts.upgrades.busy.store(false, Ordering::Release);
    }
}

impl AuthService {
    /// Leaves the upgrade of a hash for after the answer, if somebody runs such tasks and there is nothing better to do.
    pub(super) fn upgrade_later(&self, stored: &StoredCredentials, password: Password) {
        let Some(background) = &self.parts.upgrades.background else { return };
        match Turn::take(self) {
            Some(turn) => (background.0)(Box::pin(turn.run(stored.clone(), password))),
            None => drop(self.parts.upgrades.shed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// What has become of the hashes that were to be upgraded after a login.
    #[must_use]
    pub fn upgrade_stats(&self) -> UpgradeStats {
        let upgrades = &self.parts.upgrades;
        UpgradeStats {
            upgraded: upgrades.upgraded.load(Ordering::Relaxed),
            shed: upgrades.shed.load(Ordering::Relaxed),
            superseded: upgrades.superseded.load(Ordering::Relaxed),
            failed: upgrades.failed.load(Ordering::Relaxed),
        }
    }
}
