//! A store that wraps [`MemoryStore`] and has one fault.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::blacklist::{LogIdentity, LogPage, Position, RevocationTarget};
use auth_core::memory::MemoryStore;
use auth_core::session::SessionEnd;
use auth_core::{
    ChangeUserError, Claims, Email, Generation, InsertUserError, NewUser, PasswordHash, ProfileChange, Revocation,
    RevocationLog, RevocationSource, SideEffects, StoreError, StoreErrorKind, StoredCredentials, User, UserChange,
    UserId, UserRevocation, UserStore, Username,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Fault;
use crate::attempts::Counters;
use crate::conflicts::Disturbed;
use crate::log::Log;

/// What all nodes share.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) fault: Fault,
    users: MemoryStore,
    pub(crate) log: Log,
    pub(crate) counters: Counters,
    pub(crate) sessions: crate::sessions::Table,
    pub(crate) cut: AtomicBool,
    pub(crate) disturbed: Disturbed,
    /// Whether new entries of the log are refused.
    pub(crate) refusing: AtomicBool,
    pub(crate) damaged: Mutex<Vec<Row>>,
    reserved: Mutex<HashSet<String>>,
    generations: Mutex<HashMap<UserId, Generation>>,
}

impl Database {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            users: MemoryStore::new().unwrap(),
            log: Log::new(fault),
            counters: Counters::default(),
            sessions: crate::sessions::Table::default(),
            cut: AtomicBool::new(false),
            disturbed: Disturbed::default(),
            refusing: AtomicBool::new(false),
            damaged: Mutex::default(),
            reserved: Mutex::default(),
            generations: Mutex::default(),
        })
    }

    /// Begins a write: whether its answer will be lost.
    fn write(&self) -> Result<bool, StoreError> {
        self.up()?;
        self.disturbed.write(self.fault)
    }

    /// An error while the database is cut off.
    pub(crate) fn up(&self) -> Result<(), StoreError> {
        match (self.cut.load(Ordering::SeqCst), self.fault) {
            (false, _) => Ok(()),
            (true, Fault::OutageIsInternal) => Err(StoreError::new(StoreErrorKind::Internal, "it is gone")),
            (true, _) => Err(StoreError::unavailable("it is gone")),
        }
    }
}

/// One node's stores.
#[derive(Debug)]
pub(crate) struct Store {
    database: Arc<Database>,
    number: u128,
    identity: LogIdentity,
    /// What this node remembers, where it should not.
    listed: Mutex<Option<Vec<User>>>,
    appended: Mutex<Vec<Revocation>>,
    /// Whether a transaction of this node was ended by the database.
    ended: AtomicBool,
}

impl Store {
    pub(crate) fn new(database: Arc<Database>, number: u128) -> Self {
        let identity = if database.fault == Fault::NewIdentityAtStart { number } else { 1 };
        let identity = LogIdentity(Uuid::from_u128(identity));
        let ended = AtomicBool::new(false);
        Self { database, number, identity, listed: Mutex::default(), appended: Mutex::default(), ended }
    }

    /// An error while the database refuses new entries.
    fn entries_are_taken(&self) -> Result<(), StoreError> {
        if self.database.refusing.load(Ordering::SeqCst) {
            self.ended.store(true, Ordering::SeqCst);
            return Err(StoreError::unavailable("the disk is full"));
        }
        Ok(())
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    fn readable(&self, user: Option<User>) -> Result<Option<User>, StoreError> {
        match user {
            Some(user) if self.database.damaged.lock().unwrap().contains(&Row::User(user.id)) => {
                if self.has(Fault::SkipsDamagedUsers) {
                    Ok(None)
                } else {
                    Err(StoreError::corrupt("no e-mail address"))
                }
            }
            None if self.has(Fault::NobodyIsAnError) => Err(StoreError::new(StoreErrorKind::Internal, "no rows")),
            user => Ok(user),
        }
    }

    async fn everybody(&self) -> Result<Vec<User>, StoreError> {
        self.database.users.list(None, u32::MAX).await
    }

    async fn insert_row(&self, new: NewUser, effects: SideEffects) -> Result<User, InsertUserError> {
        self.database.users.insert(new, effects).await
    }
}

/// What a user row that overwrote or doubled another one would look like.
fn doubled(new: &NewUser, like: &User) -> User {
    User { id: new.id, email: new.email.clone(), username: new.username.clone(), ..like.clone() }
}

fn without_accents(text: &str) -> String {
    text.replace('é', "e").replace('ß', "ss")
}

#[async_trait]
impl UserStore for Store {
    async fn insert(&self, mut new: NewUser, effects: SideEffects) -> Result<User, InsertUserError> {
        let loses_answer = self.database.write()?;
        let everybody = self.everybody().await?;
        match self.database.fault {
            Fault::CutsTheFraction => new.registered_on = new.registered_on.replace_nanosecond(0).unwrap(),
            Fault::CutsLongHashes => {
                let hash = new.password_hash.expose_hash();
                new.password_hash = PasswordHash::new(hash[..hash.len().min(60)].to_owned());
            }
            Fault::LaxCollation => {
                let key = without_accents(new.username.key());
                if everybody.iter().any(|user| without_accents(user.username.key()) == key) {
                    return Err(InsertUserError::UsernameTaken);
                }
            }
            Fault::Upserts => {
                if let Some(user) = everybody.iter().find(|user| user.id == new.id) {
                    return Ok(doubled(&new, user));
                }
            }
            Fault::ChecksThenInserts => {
                pass(1).await;
                let taken =
                    |user: &&User| user.email.key() == new.email.key() || user.username.key() == new.username.key();
                let before = everybody.iter().any(|user| taken(&user));
                if let (false, Some(winner)) = (before, self.everybody().await?.iter().find(taken)) {
                    return Ok(doubled(&new, winner));
                }
            }
            Fault::ReservesThenInserts => {
                if !self.database.reserved.lock().unwrap().insert(new.email.key().to_owned()) {
                    return Err(InsertUserError::EmailTaken);
                }
                pass(1).await;
            }
            Fault::SkipsDamagedUsers => {
                let damaged = self.database.damaged.lock().unwrap().clone();
                let mine = |user: &&User| user.email.key() == new.email.key() && damaged.contains(&Row::User(user.id));
                if let Some(user) = everybody.iter().find(mine) {
                    return Ok(doubled(&new, user));
                }
            }
            _ => {}
        }
        if loses_answer && self.has(Fault::InsertsAgain) {
            self.insert_row(new.clone(), effects.clone()).await?;
        }
        match self.insert_row(new, effects).await {
            Err(InsertUserError::UsernameTaken) if self.has(Fault::TellsTheWrongField) => {
                Err(InsertUserError::EmailTaken)
            }
            result => result,
        }
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        if let Err(error) = self.database.up() {
            return if self.has(Fault::OutageIsNobody) { Ok(None) } else { Err(error) };
        }
        self.readable(self.database.users.find_by_id(id).await?)
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        self.database.up()?;
        let stored = self.database.users.find_credentials(email).await?;
        if self.readable(stored.as_ref().map(|stored| stored.user.clone()))?.is_none() {
            return Ok(None);
        }
        Ok(stored.filter(|stored| !self.has(Fault::CaseSensitive) || stored.user.email.as_str() == email.as_str()))
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<User>, StoreError> {
        self.database.up()?;
        self.readable(self.database.users.find_by_username(username).await?)
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.database.up()?;
        if self.has(Fault::RemembersTheList) {
            let everybody = self.everybody().await?;
            return Ok(self.listed.lock().unwrap().get_or_insert(everybody).clone());
        }
        let users = match after {
            Some(after) if self.has(Fault::ListsTheCursor) => {
                self.everybody().await?.into_iter().filter(|user| user.id >= after).take(limit as usize).collect()
            }
            _ => self.database.users.list(after, limit).await?,
        };
        let readable = users.into_iter().map(|user| self.readable(Some(user)));
        Ok(readable.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.database.up()?;
        let before = self.database.users.find_by_id(id).await?;
        match before {
            Some(user) if user.admin && self.has(Fault::PromotesBySwitch) => Ok(Some(User { admin: false, ..user })),
            _ => self.database.users.promote(id).await,
        }
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.database.up()?;
        self.database.users.enable(id).await
    }

    async fn record_login(&self, id: UserId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.database.write()?;
        self.database.users.record_login(id, at).await
    }

    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        self.database.write()?;
        self.database.users.change(id, change, effects).await
    }

    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError> {
        self.database.write()?;
        self.entries_are_taken()?;
        let deleted = self.database.users.delete(id, revocation).await?;
        if let Some(revocation) = deleted {
            self.database.log.append_now(revocation);
        }
        Ok(deleted)
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
        effects: SideEffects,
    ) -> Result<Option<(User, Revocation)>, ChangeUserError> {
        let loses_answer = self.database.write()?;
        let (database, fault) = (&self.database, self.database.fault);
        if let Err(error) = self.entries_are_taken() {
            if fault == Fault::KeepsHalfOfARefusedChange {
                database.users.change_and_revoke(id, change, revocation, effects).await?;
            }
            return Err(error.into());
        }
        if fault == Fault::LosesGenerations {
            let Some(user) = database.users.find_by_id(id).await? else { return Ok(None) };
            let read = database.generations.lock().unwrap().get(&id).copied().unwrap_or_default();
            pass(1).await;
            let generation = read.next();
            database.generations.lock().unwrap().insert(id, generation);
            let entry = revocation.entry(id, generation);
            database.log.append_now(entry);
            return Ok(Some((User { generation, ..user }, entry)));
        }
        let change = match change {
            UserChange::PasswordFrom { new, .. } if fault == Fault::ChangesFromAnyHash => UserChange::Password(new),
            change => change,
        };
        if fault == Fault::DisablesSinceTheLast && matches!(change, UserChange::Disable(_)) {
            database.users.enable(id).await?;
        }
        if fault == Fault::ChangesEverybody {
            for other in self.everybody().await?.into_iter().filter(|other| other.id != id) {
                database.users.change_and_revoke(other.id, change.clone(), revocation, SideEffects::default()).await?;
            }
        }
        if loses_answer
            && fault == Fault::ChangesAgain
            && let Some((_, entry)) =
                database.users.change_and_revoke(id, change.clone(), revocation, effects.clone()).await?
        {
            database.log.append_now(entry);
        }
        let Some((user, revocation)) = database.users.change_and_revoke(id, change, revocation, effects).await? else {
            return Ok(None);
        };
        match fault {
            Fault::ChangesWithoutEntry => {}
            Fault::ChangesThenAppends => {
                pass(1).await;
                database.log.append_now(revocation);
            }
            Fault::ReadsAgainAfterTheCommit => {
                database.log.append_now(revocation);
                pass(1).await;
                return Ok(database.users.find_by_id(id).await?.map(|user| (user, revocation)));
            }
            Fault::ChangesOutOfTurn | Fault::PositionBeforeCommit => database.log.append_late(&[revocation]).await,
            _ => database.log.append_now(revocation),
        }
        Ok(Some((user, revocation)))
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        self.database.write()?;
        if self.has(Fault::ReplacesAnyHash)
            && let Some(user) = self.database.users.find_by_id(id).await?
            && let Some(stored) = self.database.users.find_credentials(&user.email).await?
        {
            return self.database.users.replace_hash(id, &stored.password_hash, replacement).await;
        }
        self.database.users.replace_hash(id, current, replacement).await
    }
}

#[async_trait]
impl RevocationSource for Store {
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        self.database.up()?;
        let damaged = self.database.damaged.lock().unwrap().clone();
        self.database.log.page(self.identity, after, limit, &damaged)
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        if let Err(error) = self.database.up() {
            return if self.has(Fault::OutageIsGood) { Ok(false) } else { Err(error) };
        }
        if self.has(Fault::CoversItsOwnOnly) {
            return Ok(self.appended.lock().unwrap().iter().any(|entry| entry.covers(claims)));
        }
        let raised = match self.database.users.find_by_id(claims.user_id).await? {
            Some(user) if !self.has(Fault::CoversWhatIsThere) => claims.generation < user.generation,
            _ => false,
        };
        let is_behind = self.database.disturbed.is_behind(self.database.fault);
        Ok(!is_behind && (raised || self.database.log.covers(claims)))
    }
}

#[async_trait]
impl RevocationLog for Store {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        self.database.write()?;
        self.entries_are_taken()?;
        if self.has(Fault::WritesAfterTheEnd) && self.ended.load(Ordering::SeqCst) {
            return Ok(batch.len() as u64);
        }
        self.appended.lock().unwrap().extend(batch);
        if !self.has(Fault::AppendsWithoutTheGeneration) {
            self.database.users.append(batch).await?;
        }
        if !self.has(Fault::AppendsWithoutTheEnd) {
            let mut sessions = self.database.sessions.lock().unwrap();
            for revocation in batch {
                if let RevocationTarget::Session(id) = revocation.target
                    && let Some(stored) = sessions.get_mut(&id)
                {
                    let end = SessionEnd { at: revocation.revoked_at, reason: revocation.reason };
                    stored.session.ended.get_or_insert(end);
                }
            }
        }
        Ok(self.database.log.append(batch).await)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.database.up()?;
        Ok(self.database.log.purge(before, limit))
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        self.database.up()?;
        self.database.log.mark_loss(at);
        Ok(())
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.up()?;
        let ahead = Duration::from_secs(3600) * u32::try_from(self.number).unwrap();
        Ok(self.has(Fault::ClockOfTheNode).then(|| OffsetDateTime::UNIX_EPOCH + ahead))
    }
}
