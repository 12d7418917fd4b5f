//! The users of a store in memory.

use std::ops::Bound;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{MemoryStore, Tables};
use crate::blacklist::Revocation;
use crate::email::Email;
use crate::error::{StoreError, StoreErrorKind};
use crate::grants::Roles;
use crate::ids::{Generation, UserId};
use crate::password::PasswordHash;
use crate::recovery::{OneTimeTokenPurpose, SideEffects};
use crate::user::{
    ChangeUserError, InsertUserError, NewUser, ProfileChange, StoredCredentials, User, UserChange, UserRevocation,
    UserStore,
};
use crate::username::Username;

impl MemoryStore {
    fn update(&self, id: UserId, change: impl FnOnce(&mut User)) -> Option<User> {
        let mut tables = self.lock();
        let stored = tables.users.get_mut(&id)?;
        change(&mut stored.user);
        Some(stored.user.clone())
    }
}

impl Tables {
    /// Returns whether the address is that of another user, or one that another user can have back.
    fn is_email_taken(&self, email: &Email, id: UserId) -> bool {
        let is_reserved = |row: &super::TokenRow| {
            let token = &row.token;
            token.purpose == OneTimeTokenPurpose::UndoEmailChange
                && row.used.is_none()
                && token.user_id != id
                && token.sent_to.as_ref().is_some_and(|sent_to| sent_to.key() == email.key())
        };
        self.by_email.get(email.key()).is_some_and(|owner| *owner != id) || self.tokens.iter().any(is_reserved)
    }

    fn is_username_taken(&self, username: &Username, id: UserId) -> bool {
        self.by_username.get(username.key()).is_some_and(|owner| *owner != id)
    }

    fn set_email(&mut self, id: UserId, email: Email) {
        self.by_email.retain(|_, owner| *owner != id);
        self.by_email.insert(email.key().to_owned(), id);
        if let Some(stored) = self.users.get_mut(&id) {
            stored.user.email = email;
            stored.user.email_verified = true;
        }
    }
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn insert(&self, new: NewUser, effects: SideEffects) -> Result<User, InsertUserError> {
        let mut tables = self.lock();
        if tables.is_email_taken(&new.email, new.id) {
            return Err(InsertUserError::EmailTaken);
        }
        if tables.is_username_taken(&new.username, new.id) {
            return Err(InsertUserError::UsernameTaken);
        }
        if tables.users.contains_key(&new.id) {
            return Err(StoreError::new(StoreErrorKind::Internal, "the user id is taken").into());
        }
        if !tables.make(effects) {
            return Err(StoreError::new(StoreErrorKind::Internal, "a registration uses no one-time token").into());
        }
        let user = User {
            id: new.id,
            email: new.email,
            username: new.username,
            email_verified: new.email_verified,
            admin: new.admin,
            roles: Roles::default(),
            generation: Generation::default(),
            disabled_at: None,
            registered_on: new.registered_on,
            last_login_at: None,
        };
        tables.by_email.insert(user.email.key().to_owned(), user.id);
        tables.by_username.insert(user.username.key().to_owned(), user.id);
        let stored = StoredCredentials { user: user.clone(), password_hash: new.password_hash };
        tables.users.insert(user.id, stored);
        Ok(user)
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.lock().users.get(&id).map(|stored| stored.user.clone()))
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        let tables = self.lock();
        Ok(tables.by_email.get(email.key()).and_then(|id| tables.users.get(id)).cloned())
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<User>, StoreError> {
        let tables = self.lock();
        let found = tables.by_username.get(username.key()).and_then(|id| tables.users.get(id));
        Ok(found.map(|stored| stored.user.clone()))
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let tables = self.lock();
        let page = tables.users.range((first, Bound::Unbounded)).take(limit);
        Ok(page.map(|(_, stored)| stored.user.clone()).collect())
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.update(id, |user| user.admin = true))
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.update(id, |user| user.disabled_at = None))
    }

    async fn record_login(&self, id: UserId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.update(id, |user| user.last_login_at = user.last_login_at.max(Some(at)));
        Ok(())
    }

    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        let mut tables = self.lock();
        let Some(user) = tables.users.get(&id).map(|stored| stored.user.clone()) else { return Ok(None) };
        match &change {
            ProfileChange::Username(new) if tables.is_username_taken(new, id) => {
                return Err(ChangeUserError::UsernameTaken);
            }
            ProfileChange::Email(new) if tables.is_email_taken(new, id) => return Err(ChangeUserError::EmailTaken),
            ProfileChange::GiveRole(role) if user.roles.with(role.clone()).is_err() => {
                return Err(ChangeUserError::TooManyRoles);
            }
            ProfileChange::VerifyEmail(email) if email.key() != user.email.key() => return Ok(None),
            ProfileChange::Unchanged { generation } if *generation != user.generation => return Ok(None),
            _ => {}
        }
        if !tables.make(effects) {
            return Ok(None);
        }
        match change {
            ProfileChange::Username(new) => {
                tables.by_username.remove(user.username.key());
                tables.by_username.insert(new.key().to_owned(), id);
                tables.users.entry(id).and_modify(|stored| stored.user.username = new);
            }
            ProfileChange::VerifyEmail(_) | ProfileChange::VouchForEmail => {
                tables.users.entry(id).and_modify(|stored| stored.user.email_verified = true);
            }
            ProfileChange::Email(new) => tables.set_email(id, new),
            ProfileChange::GiveRole(role) => {
                let roles = user.roles.with(role).map_err(|_| ChangeUserError::TooManyRoles)?;
                tables.users.entry(id).and_modify(|stored| stored.user.roles = roles);
            }
            ProfileChange::Unchanged { .. } => {}
        }
        Ok(tables.users.get(&id).map(|stored| stored.user.clone()))
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
        effects: SideEffects,
    ) -> Result<Option<(User, Revocation)>, ChangeUserError> {
        let mut tables = self.lock();
        let Some(stored) = tables.users.get(&id) else { return Ok(None) };
        match &change {
            UserChange::PasswordFrom { current, .. } if *current != stored.password_hash => return Ok(None),
            UserChange::ResetPassword { email, .. } if email.key() != stored.user.email.key() => return Ok(None),
            UserChange::TakeRole(role) if !stored.user.roles.contains(role.as_str()) => return Ok(None),
            UserChange::RestoreEmail { email, .. } if tables.is_email_taken(email, id) => {
                return Err(ChangeUserError::EmailTaken);
            }
            _ => {}
        }
        let generation = stored.user.generation.next();
        if generation == stored.user.generation {
            let error = StoreError::new(StoreErrorKind::Internal, "the generation cannot be raised any further");
            return Err(error.into());
        }
        if !tables.make(effects) {
            return Ok(None);
        }
        if let UserChange::RestoreEmail { email, .. } = &change {
            tables.set_email(id, email.clone());
        }
        let Some(stored) = tables.users.get_mut(&id) else { return Ok(None) };
        stored.user.generation = generation;
        match change {
            UserChange::LogoutEverywhere => {}
            UserChange::Demote => stored.user.admin = false,
            UserChange::TakeRole(role) => stored.user.roles = stored.user.roles.without(&role),
            UserChange::Disable(at) => stored.user.disabled_at = Some(stored.user.disabled_at.unwrap_or(at)),
            UserChange::ResetPassword { new, .. } => {
                stored.password_hash = new;
                stored.user.email_verified = true;
            }
            UserChange::Password(new) | UserChange::PasswordFrom { new, .. } | UserChange::RestoreEmail { new, .. } => {
                stored.password_hash = new;
            }
        }
        let user = stored.user.clone();
        let revocation = revocation.entry(id, generation);
        tables.append(revocation);
        Ok(Some((user, revocation)))
    }

    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError> {
        let mut tables = self.lock();
        let Some(stored) = tables.users.remove(&id) else { return Ok(None) };
        tables.by_email.retain(|_, owner| *owner != id);
        tables.by_username.retain(|_, owner| *owner != id);
        tables.sessions.retain(|_, session| session.session.user_id != id);
        tables.personal_tokens.retain(|_, stored| stored.token.user_id != id);
        tables.tokens.retain(|row| row.token.user_id != id);
        tables.letters.retain(|_, row| row.letter.user_id != id);
        let revocation = revocation.entry(id, stored.user.generation.next());
        tables.append(revocation);
        Ok(Some(revocation))
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(stored) = tables.users.get_mut(&id) else { return Ok(false) };
        let unchanged = stored.password_hash == *current;
        if unchanged {
            stored.password_hash = replacement.clone();
        }
        Ok(unchanged)
    }
}
