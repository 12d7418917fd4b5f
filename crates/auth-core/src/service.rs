//! The whole story on one page: register, log in, check a token, log out.

mod builder;
mod error;
mod passwords;
mod throttled;
mod upgrade;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use self::upgrade::Upgrades;
use crate::blacklist::{Blacklist, Revocation, RevocationReason, RevocationTarget};
use crate::clock::Clock;
use crate::email::Email;
use crate::error::{BoxError, StoreError};
use crate::ids::{Generation, TokenId, UserId};
use crate::password::policy::Owner;
use crate::password::{AsyncPasswordHasher, PasswordHash, PasswordPolicy, Verdict};
use crate::principal::Principal;
use crate::throttle::{ClientNetwork, Throttle};
use crate::token::{AccessToken, Claims, MAX_CLOCK_SKEW, MAX_TOKEN_LIFE, TokenCodec};
use crate::user::{Credentials, InsertUserError, NewAccount, NewUser, User, UserChange, UserStore};
use crate::verifier::{AuthenticateError, TokenVerifier};

pub use self::builder::{AuthServiceBuilder, BuildError, DEFAULT_TOKEN_LIFE};
pub use self::error::{AccountError, ChangePasswordError, LoginError, RegisterError};
pub use self::upgrade::UpgradeStats;

/// Registers users, logs them in, checks their tokens and revokes them. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct AuthService {
    parts: Arc<Parts>,
    /// For whom it acts, where that is known.
    client: Option<ClientNetwork>,
}

struct Parts {
    users: Arc<dyn UserStore>,
    blacklist: Arc<dyn Blacklist>,
    codec: Arc<dyn TokenCodec>,
    clock: Arc<dyn Clock>,
    verifier: TokenVerifier,
    passwords: Arc<dyn AsyncPasswordHasher>,
    policy: PasswordPolicy,
    token_life: Duration,
    /// What the password of an unknown user is compared with, so that it costs what a known user's costs.
    decoy: PasswordHash,
    upgrades: Upgrades,
    throttle: Option<Arc<Throttle>>,
}

/// A user who has just proved who they are, with a fresh token.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// The user.
    pub user: User,
    /// The token.
    pub token: AccessToken,
    /// How long the token is good.
    pub expires_in: Duration,
}

impl AuthService {
    /// Starts putting a service together.
    pub fn builder() -> AuthServiceBuilder {
        AuthServiceBuilder::default()
    }

    /// Registers a user and logs them in.
    ///
    /// # Errors
    ///
    /// When the password breaks the policy, the e-mail address or the username is taken, the network has registered too
    /// often, too much work is waiting, or a part failed.
    pub async fn register(&self, account: NewAccount) -> Result<Session, RegisterError> {
        let email = account.email.clone();
        let user = self.count_registration(&email, self.create_user(account, false)).await?;
        self.open_session(user).map_err(RegisterError::Internal)
    }

    /// Creates a user without logging them in, as an operator does.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register), but nobody counts how often.
    pub async fn create_user(&self, account: NewAccount, admin: bool) -> Result<User, RegisterError> {
        let NewAccount { email, username, password } = account;
        let owner = Owner { email: Some(&email), username: Some(&username) };
        self.parts.policy.check(&password, owner)?;
        self.parts.policy.check_breached(&password).await?;
        let password_hash = self.parts.passwords.hash(password).await?;
        let registered_on = self.now();
        let id = UserId::generate(registered_on).map_err(|error| RegisterError::Internal(error.into()))?;
        let new = NewUser { id, email, username, password_hash, admin, registered_on };
        self.parts.users.insert(new).await.map_err(|error| match error {
            InsertUserError::EmailTaken => RegisterError::EmailTaken,
            InsertUserError::UsernameTaken => RegisterError::UsernameTaken,
            InsertUserError::Store(error) => RegisterError::Store(error),
        })
    }

    /// Logs a user in: one read, one comparison — whether the user exists or not — and a signature.
    ///
    /// # Errors
    ///
    /// When the credentials are wrong, there were too many attempts, too much work is waiting, or a part failed.
    pub async fn login(&self, credentials: Credentials) -> Result<Session, LoginError> {
        let (proven, verdict) = self.prove(&credentials.email, credentials.password.clone()).await?;
        if verdict == Verdict::MatchRehash {
            self.upgrade_later(&proven, credentials.password);
        }
        self.open_session(proven.user).map_err(LoginError::Internal)
    }

    /// Checks a token: signature, time, blacklist. The only way to a [`Principal`], and it reads no user.
    ///
    /// # Errors
    ///
    /// When the token is not good, or nobody can tell right now.
    pub async fn authenticate(&self, unverified_token: &str) -> Result<Principal, AuthenticateError> {
        self.parts.verifier.authenticate(unverified_token).await
    }

    /// What checks tokens, for those who need no more of the service than that.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.parts.verifier
    }

    /// Logs out: revokes the one token that the principal came with. Once this has returned the token is refused here,
    /// and the revocation is durable.
    ///
    /// # Errors
    ///
    /// When the revocation could not be written. The token must then be taken for good still.
    pub async fn logout(&self, principal: &Principal) -> Result<(), StoreError> {
        let revocation = Revocation {
            target: RevocationTarget::Token(principal.token_id()),
            expires_at: principal.expires_at(),
            revoked_at: self.now(),
            reason: RevocationReason::Logout,
        };
        self.parts.blacklist.revoke(revocation).await
    }

    /// Ends every token of a user, this one included. A login afterwards is good at once.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn logout_everywhere(&self, id: UserId) -> Result<User, AccountError> {
        self.change_and_revoke(id, UserChange::LogoutEverywhere, RevocationReason::LogoutEverywhere).await
    }

    /// The user that a principal is, read from the store.
    ///
    /// # Errors
    ///
    /// When the user is gone or the store failed.
    pub async fn current_user(&self, principal: &Principal) -> Result<User, AccountError> {
        self.find_user(principal.user_id()).await
    }

    /// The user with this id.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn find_user(&self, id: UserId) -> Result<User, AccountError> {
        self.parts.users.find_by_id(id).await?.ok_or(AccountError::UserNotFound)
    }

    /// The user with this e-mail address.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn find_by_email(&self, email: &Email) -> Result<User, AccountError> {
        let stored = self.parts.users.find_credentials(email).await?;
        stored.map(|stored| stored.user).ok_or(AccountError::UserNotFound)
    }

    /// At most `limit` users registered after the user `after`, in order of their ids.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.parts.users.list(after, limit).await
    }

    /// Makes a user an admin, from their next login on.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn promote(&self, id: UserId) -> Result<User, AccountError> {
        self.parts.users.promote(id).await?.ok_or(AccountError::UserNotFound)
    }

    /// Makes an admin an ordinary user and ends their tokens, which still say "admin".
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn demote(&self, id: UserId) -> Result<User, AccountError> {
        self.change_and_revoke(id, UserChange::Demote, RevocationReason::Demoted).await
    }

    /// Disables an account and ends its tokens.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn disable(&self, id: UserId) -> Result<User, AccountError> {
        self.change_and_revoke(id, UserChange::Disable(self.now()), RevocationReason::Disabled).await
    }

    /// Lets a disabled user log in again. Tokens from before stay dead.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn enable(&self, id: UserId) -> Result<User, AccountError> {
        self.parts.users.enable(id).await?.ok_or(AccountError::UserNotFound)
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        reason: RevocationReason,
    ) -> Result<User, AccountError> {
        self.try_change_and_revoke(id, change, reason).await?.ok_or(AccountError::UserNotFound)
    }

    /// `None` when there is no such user, or the change does not apply any more.
    async fn try_change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        reason: RevocationReason,
    ) -> Result<Option<User>, StoreError> {
        let revoked_at = self.now();
        // Not the configured life: that may have been longer when the tokens were issued. And the clock that issued them
        // may be ahead of this one.
        let expires_at = revoked_at + MAX_TOKEN_LIFE + MAX_CLOCK_SKEW;
        let revocation = move |below: Generation| Revocation {
            target: RevocationTarget::User { id, below },
            expires_at,
            revoked_at,
            reason,
        };
        let Some((user, revocation)) = self.parts.users.change_and_revoke(id, change, &revocation).await? else {
            return Ok(None);
        };
        self.parts.blacklist.note(&revocation);
        Ok(Some(user))
    }

    fn open_session(&self, user: User) -> Result<Session, BoxError> {
        let issued_at = self.now().replace_nanosecond(0)?;
        let claims = Claims {
            user_id: user.id,
            token_id: TokenId::generate()?,
            issued_at,
            expires_at: issued_at + self.parts.token_life,
            generation: user.generation,
            admin: user.admin,
        };
        let token = self.parts.codec.encode(&claims)?;
        Ok(Session { user, token, expires_in: self.parts.token_life })
    }

    fn now(&self) -> OffsetDateTime {
        self.parts.clock.now()
    }
}

impl From<&AuthService> for TokenVerifier {
    fn from(service: &AuthService) -> Self {
        service.verifier().clone()
    }
}

impl From<AuthService> for TokenVerifier {
    fn from(service: AuthService) -> Self {
        Self::from(&service)
    }
}

impl fmt::Debug for AuthService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService")
            .field("users", &self.parts.users)
            .field("blacklist", &self.parts.blacklist)
            .field("codec", &self.parts.codec)
            .field("passwords", &self.parts.passwords)
            .finish_non_exhaustive()
    }
}
