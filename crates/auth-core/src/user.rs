//! Users, their stored credentials, and the trait that stores them.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::blacklist::{Revocation, RevocationReason, RevocationTarget};
use crate::effects::SideEffects;
use crate::email::Email;
use crate::error::{StoreError, StoreErrorKind};
use crate::grants::{MAX_NAMES, Role, Roles};
use crate::ids::{Generation, UserId};
use crate::password::{Password, PasswordHash};
use crate::username::Username;

/// A registered user, without the password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The public id.
    pub id: UserId,
    /// The e-mail address, as it was given.
    pub email: Email,
    /// The username, as it was given.
    pub username: Username,
    /// Whether the user has proved to read letters to the e-mail address.
    pub email_verified: bool,
    /// Whether the user may see and change other users.
    pub admin: bool,
    /// Roles that the application knows, without [`ADMIN`](crate::ADMIN), which is [`admin`](Self::admin). A new user has none.
    pub roles: Roles,
    /// The generation that the user's next token will carry.
    pub generation: Generation,
    /// Time at which the account was disabled, if it is.
    pub disabled_at: Option<OffsetDateTime>,
    /// Time of registration.
    pub registered_on: OffsetDateTime,
    /// Time of the last login, if there was one since this is recorded.
    pub last_login_at: Option<OffsetDateTime>,
}

/// Data that a person gives to register.
#[derive(Debug)]
pub struct NewAccount {
    /// The e-mail address.
    pub email: Email,
    /// The username.
    pub username: Username,
    /// The password.
    pub password: Password,
}

/// Data that a person gives to log in.
#[derive(Debug)]
pub struct Credentials {
    /// The e-mail address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// User to be inserted. The generation is zero, the account is not disabled and has no login yet.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The public id.
    pub id: UserId,
    /// The e-mail address; its [key](Email::key) is unique.
    pub email: Email,
    /// The username; its [key](Username::key) is unique.
    pub username: Username,
    /// Whether the e-mail address is verified.
    pub email_verified: bool,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// Whether the user is an admin.
    pub admin: bool,
    /// Time of registration.
    pub registered_on: OffsetDateTime,
}

/// A user together with the hash that a login is compared with.
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
    /// No change but the end of all tokens: "log out everywhere".
    LogoutEverywhere,
    /// The user is no admin any more.
    Demote,
    /// The user does not have this role any more. It applies only while the user has it.
    TakeRole(Role),
    /// The account is disabled from this moment.
    Disable(OffsetDateTime),
    /// The password is replaced unconditionally.
    Password(PasswordHash),
    /// The password is replaced if the stored hash is still the one that the current password was compared with.
    PasswordFrom {
        /// The hash that must still be stored.
        current: PasswordHash,
        /// The hash of the new password.
        new: PasswordHash,
    },
    /// The password is replaced by somebody who reads letters to this address. It applies only while the address is that of the
    /// account, and verifies it.
    ResetPassword {
        /// The address that must still be that of the account.
        email: Email,
        /// The hash of the new password.
        new: PasswordHash,
    },
    /// The account has an earlier address again, which is verified, and another password.
    RestoreEmail {
        /// The address.
        email: Email,
        /// The hash of the new password.
        new: PasswordHash,
    },
}

/// A change of a user that ends no token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProfileChange {
    /// The user has another name.
    Username(Username),
    /// The address is verified. It applies only while the address is that of the account.
    VerifyEmail(Email),
    /// An operator vouches for the address, whatever it is.
    VouchForEmail,
    /// The account has another address, which is verified.
    Email(Email),
    /// The user has this role too. Repeating it changes nothing.
    GiveRole(Role),
    /// Nothing about the user changes, and the side effects are made. It applies only while the user has this generation: no token
    /// of the user was ended since.
    Unchanged {
        /// The generation that the user must still have.
        generation: Generation,
    },
}

/// Data of the log entry that ends all tokens of a user. The store adds the user's new generation, which it alone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRevocation {
    /// Expiry of the entry, no earlier than that of any token that the user has.
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

/// Reason that a user could not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeUserError {
    /// The key of the new e-mail address is taken.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The key of the new username is taken.
    #[error("the username is taken")]
    UsernameTaken,
    /// The user has [`MAX_NAMES`] roles already.
    #[error("a user has at most {MAX_NAMES} roles")]
    TooManyRoles,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangeUserError {
    /// Returns the error of a change that sets no unique key.
    pub(crate) fn unexpected(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            taken => StoreError::new(StoreErrorKind::Internal, taken),
        }
    }
}

/// Store of users.
///
/// A method that takes [`SideEffects`] makes them in the transaction of its change. A store that keeps no one-time tokens and no
/// letters refuses effects that are not [empty](SideEffects::is_empty) with an error of kind
/// [`Internal`](crate::StoreErrorKind::Internal). A service without letters gives none.
///
/// A store that keeps no roles refuses [`ProfileChange::GiveRole`] with an error of kind
/// [`Internal`](crate::StoreErrorKind::Internal). Its users have no roles, so [`UserChange::TakeRole`] never applies.
///
/// # Contract
///
/// - "Not found" is `Ok(None)`, never an error.
/// - E-mail addresses and usernames are unique by their *keys*. The store's own unique constraint decides, also when
///   many callers insert at once. When both keys are taken, the e-mail address is reported.
/// - The address of an open [`UndoEmailChange`](crate::recovery::OneTimeTokenPurpose::UndoEmailChange) token is taken too, except
///   for the user of the token. Otherwise somebody else could take the address before its owner has it back.
/// - Every later read, on any connection and any node, sees the values that a call wrote. They survive a restart.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - A database that cannot be reached is [`StoreErrorKind::Unavailable`], never
///   "not found".
/// - A row that cannot be converted to a [`User`] is [`StoreErrorKind::Corrupt`].
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait UserStore: fmt::Debug + Send + Sync {
    /// Inserts a user, makes the side effects, and returns the user as stored. An id that is taken is an error, and the user with
    /// this id stays unchanged.
    ///
    /// # Errors
    ///
    /// When a unique key is taken, and then nothing was written. When the store failed: the user may have been written
    /// all the same, because the answer may have been lost on its way.
    async fn insert(&self, new: NewUser, effects: SideEffects) -> Result<User, InsertUserError>;

    /// Returns the user with this id.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Returns the user whose e-mail key is that of `email`, with the stored hash. It is the only read of a login.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError>;

    /// Returns the user whose username key is that of `username`.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find_by_username(&self, username: &Username) -> Result<Option<User>, StoreError>;

    /// Returns at most `limit` users with an id greater than `after`, in order of id.
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

    /// Records a login at `at`, unless a later one is recorded. A user that does not exist is no error.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn record_login(&self, id: UserId, at: OffsetDateTime) -> Result<(), StoreError>;

    /// Applies `change` and makes the side effects, in one transaction. The generation stays. Returns the user as this change left
    /// them. Returns `None`, and nothing was written, when there is no such user, the account does not have the address or the
    /// generation that the change asks for, or the one-time token cannot be used.
    ///
    /// # Errors
    ///
    /// When a unique key is taken or the user has too many roles, and then nothing was written. When the store failed: then either
    /// everything was written or nothing.
    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError>;

    /// Applies `change`, raises the user's generation by one, appends the user-wide revocation to the log of
    /// revocations and makes the side effects, all in one transaction. Either the change is made and every token of the user is revoked, or
    /// neither. Disabling a disabled user keeps the first moment.
    ///
    /// The store appends [`revocation.entry(id, new_generation)`](UserRevocation::entry). It returns the user as this
    /// change left them, before any later change, and the revocation that was appended. It returns `None`, and nothing
    /// was written, when there is no such user, the stored hash is not the one that [`UserChange::PasswordFrom`] asks
    /// for, the address is not the one that [`UserChange::ResetPassword`] asks for, the user does not have the role of
    /// [`UserChange::TakeRole`], or the one-time token cannot be used. Of many
    /// who change one password from one hash at once, exactly one succeeds.
    ///
    /// # Errors
    ///
    /// When the address of [`UserChange::RestoreEmail`] is taken, and then nothing was written. When the store failed. Then either
    /// everything was written or nothing. Repeating raises the generation once more, which does no harm.
    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
        effects: SideEffects,
    ) -> Result<Option<(User, Revocation)>, ChangeUserError>;

    /// Deletes a user for good and appends a user-wide revocation to the log, in one transaction. The revocation has the
    /// generation after that of the user, so it covers every token that the user has.
    ///
    /// The sessions, personal tokens, one-time tokens and waiting letters of the user are deleted too, by every store that shares the database.
    /// The id is all that is left, in the log. Returns the revocation, or `None` if there is no such user.
    ///
    /// # Errors
    ///
    /// When the store failed. Then either everything was written or nothing.
    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError>;

    /// Replaces the stored hash if it is still `current`, and returns whether it was replaced. The generation stays.
    ///
    /// A login upgrades a hash with it. A password that was changed meanwhile must not be overwritten.
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
