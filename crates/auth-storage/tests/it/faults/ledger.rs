//! Writes of the stores, and the record of those that were acknowledged.

use std::collections::HashSet;
use std::sync::Arc;

use auth_core::blacklist::{Position, RevocationTarget};
use auth_core::throttle::{AttemptKey, Counter};
use auth_core::{
    AttemptStore as _, InsertUserError, PasswordHash, Revocation, RevocationLog as _, RevocationSource as _,
    SideEffects, StoreError, User, UserChange, UserId, UserStore as _,
};
use auth_storage::{ConnectOptions, Database, SeaAttemptStore, SeaRevocationLog, SeaUserStore, connect, store_error};
use auth_testing::databases::TestDatabase;
use time::Duration;

use crate::support::{NOW, logout, new_user, of_store, open_with, revoke_all};

/// A write of a store, of the server, or of an application in the same database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Register,
    Promote,
    Enable,
    Everywhere,
    Demote,
    Disable,
    SetPassword,
    ChangePassword,
    ReplaceHash,
    Logout,
    Logouts,
    OfApplication,
    PurgeLog,
    CountAttempt,
    PurgeAttempts,
    /// Writes only after another write has failed.
    Check,
}

impl Write {
    /// All that write whenever they are performed.
    pub(super) const ALL: [Self; 15] = [
        Self::Register,
        Self::Promote,
        Self::Enable,
        Self::Everywhere,
        Self::Demote,
        Self::Disable,
        Self::SetPassword,
        Self::ChangePassword,
        Self::ReplaceHash,
        Self::Logout,
        Self::Logouts,
        Self::OfApplication,
        Self::PurgeLog,
        Self::CountAttempt,
        Self::PurgeAttempts,
    ];
}

/// The stores of one database and what they acknowledged.
pub(super) struct Ledger {
    database: Database,
    /// Reads on connections of their own, where the database is a file: what it sees is committed.
    reader: Database,
    /// The user whom all changes are made to.
    subject: UserId,
    users: Vec<UserId>,
    entries: Vec<RevocationTarget>,
    /// Attempts that were counted for certain, and those that may have been besides.
    counted: u32,
    perhaps_counted: u32,
    /// How many names and hashes were made.
    made: u32,
}

impl Ledger {
    pub(super) async fn open(test: &TestDatabase, options: ConnectOptions) -> Self {
        let (database, users, _) = open_with(test, options).await;
        let reader = if is_in_memory(test) {
            database.clone()
        } else {
            connect(test.url(), ConnectOptions::default()).await.unwrap()
        };
        let subject = users.insert(new_user("subject"), SideEffects::default()).await.unwrap().id;
        let (users, entries) = (vec![subject], Vec::new());
        Self { database, reader, subject, users, entries, counted: 0, perhaps_counted: 0, made: 0 }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Performs the write and records it if it is acknowledged.
    pub(super) async fn perform(&mut self, write: Write) -> Result<(), StoreError> {
        self.made += 1;
        let log = SeaRevocationLog::new(self.database.clone());
        let users = SeaUserStore::new(self.database.clone());
        match write {
            Write::Register => {
                match users.insert(new_user(&format!("user{}", self.made)), SideEffects::default()).await {
                    Ok(user) => self.users.push(user.id),
                    Err(InsertUserError::Store(error)) => return Err(error),
                    Err(taken) => panic!("a name was used twice: {taken}"),
                }
            }
            Write::Promote => drop(users.promote(self.subject).await?),
            Write::Enable => drop(users.enable(self.subject).await?),
            Write::Everywhere => self.change(UserChange::LogoutEverywhere).await?,
            Write::Demote => self.change(UserChange::Demote).await?,
            Write::Disable => self.change(UserChange::Disable(NOW)).await?,
            Write::SetPassword => self.change(UserChange::Password(self.new_hash())).await?,
            Write::ChangePassword => {
                let current = self.hash().await?;
                self.change(UserChange::PasswordFrom { current, new: self.new_hash() }).await?;
            }
            Write::ReplaceHash => {
                let current = self.hash().await?;
                assert!(users.replace_hash(self.subject, &current, &self.new_hash()).await?);
            }
            Write::Logout => self.append(&log, vec![logout()]).await?,
            Write::Logouts => self.append(&log, vec![logout(), logout(), logout()]).await?,
            Write::OfApplication => {
                let revocation = logout();
                let transaction = self.database.begin_write().await?;
                log.append_within(&transaction, &[revocation]).await?;
                transaction.commit().await.map_err(store_error)?;
                self.entries.push(revocation.target);
            }
            Write::PurgeLog => {
                let expired = Revocation { expires_at: NOW - Duration::HOUR, ..logout() };
                log.append(&[expired]).await?;
                log.purge(NOW, 10).await?;
            }
            Write::CountAttempt => {
                self.perhaps_counted += 1;
                let one_more = |counters: &mut [Counter]| {
                    counters[0].failures += 1;
                    counters[0].not_before = NOW + Duration::DAY;
                };
                self.attempts().update(&[counter()], Arc::new(one_more)).await?;
                self.counted += 1;
            }
            Write::PurgeAttempts => {
                let expired = AttemptKey::from([9; 16]);
                let spend = |counters: &mut [Counter]| counters[0].spent_until = NOW - Duration::DAY;
                self.attempts().update(&[expired], Arc::new(spend)).await?;
                self.attempts().purge(NOW, 10).await?;
            }
            Write::Check => self.database.check_writable().await?,
        }
        Ok(())
    }

    /// Checks that all that was acknowledged is there and nothing is half written.
    pub(super) async fn assert_sound(&self, when: &str) {
        self.assert_sound_in(&self.reader, when).await;
    }

    /// The same in a process that starts anew, for a database that is a file.
    pub(super) async fn assert_sound_after_reopening(&self, test: &TestDatabase) {
        if is_in_memory(test) {
            return;
        }
        self.database.close().await.unwrap();
        self.reader.close().await.unwrap();
        let reopened = connect(test.url(), ConnectOptions::default()).await.unwrap();
        self.assert_sound_in(&reopened, "opened again").await;
    }

    async fn assert_sound_in(&self, reader: &Database, when: &str) {
        let log = SeaRevocationLog::new(reader.clone());
        let users = SeaUserStore::new(reader.clone());
        let page = log.read_after(Position(0), 1_000_000).await.unwrap();
        let positions: HashSet<u64> = page.entries.iter().map(|entry| entry.position.0).collect();
        let targets: HashSet<RevocationTarget> = page.entries.iter().map(|entry| entry.revocation.target).collect();
        assert_eq!(targets.len(), page.entries.len(), "{when}: an entry is there twice");
        assert!(positions.iter().all(|position| (1..=page.head.0).contains(position)), "{when}: beyond the head");
        let gaps = page.head.0 - positions.len() as u64;
        let purged = page.purged.tokens >= NOW - Duration::HOUR;
        assert!(gaps == 0 || purged, "{when}: {gaps} positions have no entry, and nothing was purged");
        for entry in &self.entries {
            assert!(targets.contains(entry), "{when}: an acknowledged revocation is lost");
        }
        let mut found = HashSet::new();
        let mut after = None;
        while let Some(last) = {
            let page = users.list(after, 1_000).await.unwrap();
            found.extend(page.iter().map(|user| user.id));
            page.last().map(|user| user.id)
        } {
            after = Some(last);
        }
        for user in &self.users {
            assert!(found.contains(user), "{when}: an acknowledged user is lost");
        }
        let subject = users.find_by_id(self.subject).await.unwrap().unwrap();
        let of_subject = targets.iter().filter(|target| matches!(target, RevocationTarget::User { .. })).count();
        assert_eq!(of_subject as u64, u64::from(subject.generation.number()), "{when}: a change is half written");
        let attempts = SeaAttemptStore::new(reader.clone()).read(&[counter()]).await.unwrap()[0].failures;
        assert!((self.counted..=self.perhaps_counted).contains(&attempts), "{when}: {attempts} attempts");
    }

    async fn append(&mut self, log: &SeaRevocationLog, batch: Vec<Revocation>) -> Result<(), StoreError> {
        log.append(&batch).await?;
        self.entries.extend(batch.into_iter().map(|revocation| revocation.target));
        Ok(())
    }

    async fn change(&mut self, change: UserChange) -> Result<(), StoreError> {
        let subject = self.subject;
        let users = SeaUserStore::new(self.database.clone());
        let changed: Option<(User, Revocation)> =
            of_store(users.change_and_revoke(subject, change, revoke_all(), SideEffects::default()).await)?;
        self.entries.push(changed.expect("the subject is there").1.target);
        Ok(())
    }

    async fn hash(&self) -> Result<PasswordHash, StoreError> {
        let users = SeaUserStore::new(self.database.clone());
        let email = new_user("subject").email;
        Ok(users.find_credentials(&email).await?.expect("the subject is there").password_hash)
    }

    fn new_hash(&self) -> PasswordHash {
        PasswordHash::new(format!("$2b$04$hash-{}", self.made))
    }

    fn attempts(&self) -> SeaAttemptStore {
        SeaAttemptStore::new(self.database.clone())
    }
}

fn is_in_memory(test: &TestDatabase) -> bool {
    test.url().contains(":memory:")
}

fn counter() -> AttemptKey {
    AttemptKey::from([7; 16])
}
