//! Users: who they are, what is stored of them and the trait of what stores them.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::blacklist::{Revocation, RevocationReason, RevocationTarget};
use crate::email::Email;
use crate::error::StoreError;
use crate::ids::{Generation, UserId};
use crate::password::{Password, PasswordHash};
use crate::username::Username;

/// A registered user, as far as anybody may see. It never holds a password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The public id.
    pub id: UserId,
    /// The e-mail address, as it was given.
    pub email: Email,
    /// The name, as it was given.
    pub username: Username,
    /// Whether the user may see and change other users.
    pub admin: bool,
    /// The generation that the user's next token will carry.
    pub generation: Generation,
    /// Since when the account is disabled, if it is.
    pub disabled_at: Option<OffsetDateTime>,
    /// When the user registered.
    pub registered_on: OffsetDateTime,
}

/// What a person gives to register.
#[derive(Debug)]
pub struct NewAccount {
    /// The e-mail address.
    pub email: Email,
    /// The name.
    pub username: Username,
    /// The password.
    pub password: Password,
}

/// What a person gives to log in.
#[derive(Debug)]
pub struct Credentials {
    /// The e-mail address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// A user row to be written. Its generation is zero and it is not disabled.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The public id.
    pub id: UserId,
    /// The e-mail address; its [key](Email::key) is unique.
    pub email: Email,
    /// The name; its [key](Username::key) is unique.
    pub username: Username,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// Whether the user is an admin.
    pub admin: bool,
    /// When the user registered.
    pub registered_on: OffsetDateTime,
}

/// A user together with the hash that a login is checked against.
#[derive(Debug, Clone)]
pub struct StoredCredentials {
    /// The user.
    pub user: User,
    /// The stored hash.
    pub password_hash: PasswordHash,
}

/// A change of a user that ends all tokens the user has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum UserChange {
    /// Nothing but the end of all tokens: "log out everywhere".
    LogoutEverywhere,
    /// The user is no admin any more.
    Demote,
    /// The account is disabled from this moment.
    Disable(OffsetDateTime),
    /// The password is another one, whatever it was.
    Password(PasswordHash),
    /// The password is another one, if the stored hash still is the one that the user's proof was checked against.
    PasswordFrom {
        /// The hash that must still be stored.
        current: PasswordHash,
        /// The hash of the new password.
        new: PasswordHash,
    },
}

/// Data of the log entry that ends all tokens of a user. The store adds the user's new generation, which it alone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRevocation {
    /// No earlier than the expiry of any token that the user has.
    pub expires_at: OffsetDateTime,
    /// Time of the revocation.
    pub revoked_at: OffsetDateTime,
    /// Reason of the revocation.
    pub reason: RevocationReason,
}

impl UserRevocation {
    /// Returns the entry that ends every token of the user `id` with a generation below `below`.
    #[must_use]
    pub fn entry(self, id: UserId, below: Generation) -> Revocation {
        let Self { expires_at, revoked_at, reason } = self;
        Revocation { target: RevocationTarget::User { id, below }, expires_at, revoked_at, reason }
    }
}

/// Reason that a user could not be inserted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InsertUserError {
    /// The key of the e-mail address is taken.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The key of the username is taken.
    #[error("the username is taken")]
    UsernameTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps users.
///
/// # Contract
///
/// - "Not found" is `Ok(None)`, never an error.
/// - E-mail addresses and usernames are unique by their *keys*; the store's own unique constraint decides, also when
///   many callers insert at once. When both keys are taken the e-mail address is reported.
/// - What a call wrote is seen by every later read, on any connection and any node, and survives a restart.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - A database that cannot be reached is [`StoreErrorKind::Unavailable`](crate::StoreErrorKind::Unavailable), never "not found".
/// - A row that cannot become a [`User`] is [`StoreErrorKind::Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait UserStore: fmt::Debug + Send + Sync {
    /// Inserts a user and returns it as stored. An id that is taken is an error, and the user who has it stays as they are.
    ///
    /// # Errors
    ///
    /// Says which unique key is taken; then nothing was written. When the store failed it may have been written all the
    /// same: an answer that is lost on its way looks like one that was never given.
    async fn insert(&self, new: NewUser) -> Result<User, InsertUserError>;

    /// The user with this id.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user whose e-mail key is that of `email`, with the stored hash: the one read of a login.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError>;

    /// At most `limit` users with an id greater than `after`, in order of id.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Makes the user an admin. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Lets a disabled user log in again. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Applies `change`, raises the user's generation by one and appends the user-wide revocation to the log of
    /// revocations, all in one transaction: either every token of the user is dead and the change is made, or neither.
    /// Disabling a disabled user keeps the first moment.
    ///
    /// The store appends [`revocation.entry(id, new_generation)`](UserRevocation::entry).
    /// Returns the user as this change left them, whatever comes after it, and the revocation that was appended. `None` when
    /// there is no such user, or the stored hash is not the one that [`UserChange::PasswordFrom`] asks for: then nothing
    /// was written. Of many who change one password from one hash at once, exactly one does.
    ///
    /// # Errors
    ///
    /// When the store failed. Then either all of it was written or nothing; repeating raises the generation once more,
    /// which does no harm.
    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
    ) -> Result<Option<(User, Revocation)>, StoreError>;

    /// Replaces the stored hash if it is still `current`: used to upgrade a hash after a login, where a password that
    /// was changed meanwhile must win. Returns whether it was replaced. The generation stays.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError>;
}
