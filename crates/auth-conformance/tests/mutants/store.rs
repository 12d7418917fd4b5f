//! A store that wraps [`MemoryStore`] and has one fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::blacklist::{LogIdentity, RevocationReason};
use auth_core::{
    ChangeUserError, Email, InsertUserError, NewUser, OneTimeTokenStore as _, PasswordHash, ProfileChange, Revocation,
    Role, SideEffects, StoreError, StoreErrorKind, StoredCredentials, User, UserChange, UserId, UserRevocation,
    UserStore, Username,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Fault;
use crate::database::Database;

/// One node's stores.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) database: Arc<Database>,
    pub(crate) number: u128,
    pub(crate) identity: LogIdentity,
    /// What this node remembers, where it should not.
    listed: Mutex<Option<Vec<User>>>,
    pub(crate) appended: Mutex<Vec<Revocation>>,
    /// Whether a transaction of this node was ended by the database.
    pub(crate) ended: AtomicBool,
}

impl Store {
    pub(crate) fn new(database: Arc<Database>, number: u128) -> Self {
        let identity = if database.fault == Fault::NewIdentityAtStart { number } else { 1 };
        let identity = LogIdentity(Uuid::from_u128(identity));
        let ended = AtomicBool::new(false);
        Self { database, number, identity, listed: Mutex::default(), appended: Mutex::default(), ended }
    }

    /// An error while the database refuses new entries.
    pub(crate) fn entries_are_taken(&self) -> Result<(), StoreError> {
        if self.database.refusing.load(Ordering::SeqCst) {
            self.ended.store(true, Ordering::SeqCst);
            return Err(StoreError::unavailable("the disk is full"));
        }
        Ok(())
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
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

    /// Returns the side effects that are left for the transaction of the change.
    async fn effects(&self, effects: SideEffects) -> Result<SideEffects, StoreError> {
        let effects = self.database.prepare(effects);
        match self.database.fault {
            Fault::WritesEffectsFirst => {
                self.database.users.write(effects).await?;
                Ok(SideEffects::default())
            }
            Fault::ChangesWithAUsedToken => Ok(SideEffects { redeem: None, ..effects }),
            _ => Ok(effects),
        }
    }

    /// Leaves only the roles that `stays` says. The generation that the caller sees is as before.
    async fn drop_roles(&self, user: User, stays: impl Fn(&Role) -> bool) -> Result<Option<User>, ChangeUserError> {
        let mut roles = user.roles.clone();
        for role in user.roles.iter().filter(|role| !stays(role)) {
            let revocation = UserRevocation {
                expires_at: OffsetDateTime::UNIX_EPOCH,
                revoked_at: OffsetDateTime::UNIX_EPOCH,
                reason: RevocationReason::RoleRemoved,
            };
            let change = UserChange::TakeRole(role.clone());
            self.database.users.change_and_revoke(user.id, change, revocation, SideEffects::default()).await?;
            roles = roles.without(role);
        }
        Ok(Some(User { roles, ..user }))
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
        let effects = self.effects(effects).await?;
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
            self.insert_row(new, effects).await?;
            return Err(InsertUserError::EmailTaken);
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
        let found = self.readable(self.database.users.find_by_username(username).await?)?;
        Ok(found.filter(|user| !self.has(Fault::ComparesNames) || user.username.as_str() == username.as_str()))
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
        let before = self.database.users.find_by_id(id).await?.and_then(|user| user.last_login_at);
        if before.is_some() && self.has(Fault::KeepsTheFirstLogin) {
            return Ok(());
        }
        self.database.users.record_login(id, at).await
    }

    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        self.database.write()?;
        let effects = self.effects(effects).await?;
        let change = match change {
            ProfileChange::VerifyEmail(_) if self.has(Fault::VerifiesAnyAddress) => ProfileChange::VouchForEmail,
            ProfileChange::Unchanged { .. } if self.has(Fault::IgnoresTheGeneration) => {
                let Some(user) = self.database.users.find_by_id(id).await? else { return Ok(None) };
                ProfileChange::Unchanged { generation: user.generation }
            }
            change => change,
        };
        let given = if let ProfileChange::GiveRole(role) = &change { Some(role.clone()) } else { None };
        let read = self.database.users.find_by_id(id).await?.map(|user| user.roles).unwrap_or_default();
        if given.is_some() && self.has(Fault::LosesRoles) {
            pass(1).await;
        }
        match self.database.users.change(id, change, effects).await {
            Ok(Some(user)) if given.is_some() && self.has(Fault::ReplacesRoles) => {
                self.drop_roles(user, |role| Some(role) == given.as_ref()).await
            }
            Ok(Some(user)) if given.is_some() && self.has(Fault::LosesRoles) => {
                self.drop_roles(user, |role| Some(role) == given.as_ref() || read.contains(role.as_str())).await
            }
            Err(ChangeUserError::TooManyRoles) if self.has(Fault::GivesAnyNumberOfRoles) => {
                Ok(self.database.users.find_by_id(id).await?)
            }
            Err(ChangeUserError::EmailTaken | ChangeUserError::UsernameTaken) if self.has(Fault::TakenIsNobody) => {
                Ok(None)
            }
            Ok(Some(user)) if self.has(Fault::ProfilesEndTokens) => {
                Ok(Some(User { generation: user.generation.next(), ..user }))
            }
            result => result,
        }
    }

    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError> {
        self.database.write()?;
        self.entries_are_taken()?;
        let at = revocation.revoked_at + Duration::from_secs(10);
        let tokens = self.database.open_of(id, at).await?;
        let deleted = self.database.users.delete(id, revocation).await?;
        if !self.has(Fault::LeavesPersonalTokens) {
            self.database.personal_tokens.lock().unwrap().retain(|_, stored| stored.token.user_id != id);
        }
        if self.has(Fault::DeletesTheUserAlone) {
            self.database.bring_back(tokens).await?;
        }
        if self.has(Fault::DeletesThenAppends) {
            pass(1).await;
        }
        if let Some(revocation) = deleted
            && !self.has(Fault::DeletesWithoutEntry)
        {
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
        let effects = self.effects(effects).await?;
        let change = match change {
            UserChange::PasswordFrom { new, .. } if fault == Fault::ChangesFromAnyHash => UserChange::Password(new),
            UserChange::ResetPassword { new, .. } if fault == Fault::ResetsForAnyAddress => UserChange::Password(new),
            UserChange::RestoreEmail { email, .. } if fault == Fault::RestoresTheAddressAlone => {
                let Some(user) = database.users.find_by_id(id).await? else { return Ok(None) };
                let stored = database.users.find_credentials(&user.email).await?;
                let Some(stored) = stored else { return Ok(None) };
                UserChange::RestoreEmail { email, new: stored.password_hash }
            }
            UserChange::TakeRole(role) if fault == Fault::KeepsATakenRole => {
                let user = database.users.find_by_id(id).await?;
                if !user.is_some_and(|user| user.roles.contains(role.as_str())) {
                    return Ok(None);
                }
                UserChange::LogoutEverywhere
            }
            UserChange::TakeRole(role) if fault == Fault::TakesAbsentRoles => {
                let user = database.users.find_by_id(id).await?;
                let is_absent = user.is_some_and(|user| !user.roles.contains(role.as_str()));
                if is_absent { UserChange::LogoutEverywhere } else { UserChange::TakeRole(role) }
            }
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
