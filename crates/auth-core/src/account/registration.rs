//! Registration.

use super::error::RegisterError;
use crate::context::Context;
use crate::events;
use crate::ids::UserId;
use crate::join::join;
use crate::letters::{Language, LetterKind};
use crate::login::SignedIn;
use crate::password::policy::PasswordOwner;
use crate::recovery::{OneTimeTokenPurpose, Recipient, SideEffects};
use crate::service::AuthService;
use crate::throttle::Attempt;
use crate::user::{NewAccount, NewUser, User};

/// Outcome of a registration. The account exists in every case.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegisterOutcome {
    /// The user is signed in.
    SignedIn(Box<SignedIn>),
    /// Nobody is signed in, because the service [requires](crate::LetterOptions::require_verified) that the address is verified
    /// first.
    Unverified(Box<User>),
}

impl RegisterOutcome {
    /// Returns the user.
    #[must_use]
    pub fn user(&self) -> &User {
        match self {
            Self::SignedIn(signed_in) => &signed_in.user,
            Self::Unverified(user) => user,
        }
    }

    /// Returns the signed-in user and the token, if the address need not be verified first.
    #[must_use]
    pub fn signed_in(self) -> Option<SignedIn> {
        match self {
            Self::SignedIn(signed_in) => Some(*signed_in),
            Self::Unverified(_) => None,
        }
    }
}

impl AuthService {
    /// Registers a user. Signs them in, unless the address must be verified first. Where letters are sent, one asks to confirm the
    /// address, unless it has got too many lately.
    ///
    /// # Errors
    ///
    /// When the password breaks the policy, the e-mail address or the username is taken, the network has registered too
    /// often, too much work is waiting, or a part failed.
    pub async fn register(&self, account: NewAccount, context: &Context) -> Result<RegisterOutcome, RegisterError> {
        self.check_policy(&account)?;
        // Admit: the attempt is counted before any work is done for it.
        let attempt = self.parts.throttle.admit_registration(&account.email, context.network()).await?;
        let inserted = self.insert(account, false, Some(context.language())).await;
        settle_registration(attempt, &inserted).await;
        events::registration(inserted.as_ref().map(|user| user.id), context.request_id());
        let user = inserted?;
        if self.requires_verified_email() {
            return Ok(RegisterOutcome::Unverified(Box::new(user)));
        }
        Ok(RegisterOutcome::SignedIn(Box::new(self.open_session(user, context).await?)))
    }

    /// Creates a user without signing them in and without a letter, as an operator does.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register), but without the limit on registrations.
    pub async fn create_user(&self, account: NewAccount, admin: bool) -> Result<User, RegisterError> {
        self.check_policy(&account)?;
        self.insert(account, admin, None).await
    }

    fn check_policy(&self, account: &NewAccount) -> Result<(), RegisterError> {
        let owner = PasswordOwner { email: Some(&account.email), username: Some(&account.username) };
        Ok(self.parts.policy.check(&account.password, owner)?)
    }

    /// Hashes the password and inserts the user. Where letters are sent, one in the language `ask_in` asks to confirm the address.
    async fn insert(&self, account: NewAccount, admin: bool, ask_in: Option<&Language>) -> Result<User, RegisterError> {
        let NewAccount { email, username, password } = account;
        self.parts.policy.check_breached(&password).await?;
        let asks = self.parts.letters.as_ref().zip(ask_in);
        let code = async { if asks.is_some() { self.new_code().await.map(Some) } else { Ok(None) } };
        let (password_hash, code) = join(self.parts.passwords.hash(password), code).await;
        let (password_hash, code) = (password_hash?, code?);
        let registered_on = self.now();
        let id = UserId::generate(registered_on)?;
        let new = NewUser { id, email, username, email_verified: false, password_hash, admin, registered_on };
        let Some((letters, language)) = asks else {
            return Ok(self.parts.users.insert(new, SideEffects::default()).await?);
        };
        let (purpose, kind) = (OneTimeTokenPurpose::VerifyEmail, LetterKind::VerifyEmail);
        let recipient = Recipient { user_id: id, username: &new.username, to: &new.email };
        let issued = letters.issue(purpose, kind, recipient, code, (language, registered_on))?;
        let permit = self.parts.throttle.charge_letter(&new.email, purpose, true).await?;
        let effects = if permit.is_granted() { issued.effects() } else { SideEffects::default() };
        let inserted = self.parts.users.insert(new, effects).await;
        if inserted.is_err() {
            permit.withdrawn().await;
        }
        Ok(inserted?)
    }
}

/// Takes a registration back that failed on our side. Any other one stays counted, because a refusal tells who is registered.
async fn settle_registration(attempt: Attempt, inserted: &Result<User, RegisterError>) {
    match inserted {
        Ok(_) => attempt.succeeded().await,
        Err(RegisterError::Password(_) | RegisterError::EmailTaken | RegisterError::UsernameTaken) => {}
        Err(_) => attempt.withdrawn().await,
    }
}
