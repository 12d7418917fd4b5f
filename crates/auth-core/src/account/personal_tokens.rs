//! The personal access tokens of an account.

use std::time::Duration;

use super::error::AccountError;
use crate::error::{BoxError, StoreError};
use crate::events;
use crate::grants::{ADMIN, NameError, Role, Roles, Scope, Scopes, TokenKind};
use crate::ids::{PersonalTokenId, UserId};
use crate::personal::{
    DEFAULT_PERSONAL_TOKEN_LIFE, IssuedPersonalToken, MAX_PERSONAL_TOKEN_LIFE, MAX_PERSONAL_TOKENS, NewPersonalToken,
    PersonalToken, PersonalTokenSecret, StoredPersonalToken,
};
use crate::principal::Principal;
use crate::random::NoRandomness;
use crate::service::AuthService;
use crate::throttle::AdmissionError;
use crate::user::User;

/// Reason that a personal token was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreatePersonalTokenError {
    /// The service keeps no personal tokens.
    #[error("the service keeps no personal tokens")]
    NotKept,
    /// The token that asks was not issued by a login.
    #[error("a personal token is made with the token of a login")]
    NotALogin,
    /// The token that asks was revoked meanwhile.
    #[error("the token was revoked")]
    Revoked,
    /// The user has neither a scope nor a role of this name.
    #[error("must not name {0}, which the user does not have")]
    NotGranted(Scope),
    /// The life is out of its bounds.
    #[error("must be from 1 to {} seconds", MAX_PERSONAL_TOKEN_LIFE.as_secs())]
    Life,
    /// The user has as many personal tokens as a user may have.
    #[error("a user has at most {MAX_PERSONAL_TOKENS} personal tokens")]
    TooMany,
    /// The user has made too many personal tokens in the last hour.
    #[error("too many personal tokens were made")]
    TooManyAttempts {
        /// Time to wait before the next attempt.
        retry_after: Duration,
    },
    /// The attempt could not be counted, so it was not made.
    #[error("the attempt could not be counted")]
    Uncounted(#[source] StoreError),
    /// A store failed. The token may have been made all the same, and nobody knows its secret.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An internal part failed, such as the randomness of the operating system.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

impl From<NoRandomness> for CreatePersonalTokenError {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl From<NameError> for CreatePersonalTokenError {
    fn from(error: NameError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<AdmissionError> for CreatePersonalTokenError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::TooManyAttempts { retry_after } => Self::TooManyAttempts { retry_after },
            AdmissionError::Store(error) => Self::Uncounted(error),
        }
    }
}

impl AuthService {
    /// Makes a personal access token for the principal's user. It is good until it expires or is deleted, or until something ends all
    /// tokens of the user. It outlives the session that makes it: a logout of that session does not end it.
    ///
    /// # Errors
    ///
    /// When the principal is not that of a login, or was revoked meanwhile. When the user does not have a scope that `new` names, its
    /// life is out of its bounds, or the user has [`MAX_PERSONAL_TOKENS`] or has made too many in the last hour. When a part failed.
    pub async fn create_personal_token(
        &self,
        principal: &Principal,
        new: NewPersonalToken,
    ) -> Result<IssuedPersonalToken, CreatePersonalTokenError> {
        let tokens = self.parts.personal_tokens.as_ref().ok_or(CreatePersonalTokenError::NotKept)?;
        if principal.kind() != TokenKind::Login {
            return Err(CreatePersonalTokenError::NotALogin);
        }
        let life = new.life.unwrap_or(DEFAULT_PERSONAL_TOKEN_LIFE);
        if life.is_zero() || life.subsec_nanos() != 0 || life > MAX_PERSONAL_TOKEN_LIFE {
            return Err(CreatePersonalTokenError::Life);
        }
        let found = self.parts.users.find_by_id(principal.user_id()).await?;
        // The token gets the generation of the login. Read from the user, it would outlive a password change that just ended the login.
        let is_current = |user: &User| user.disabled_at.is_none() && user.generation == principal.generation();
        let owner = found.filter(is_current).ok_or(CreatePersonalTokenError::Revoked)?;
        let (scopes, roles) = match new.scopes {
            Some(names) => granted(&owner, tokens.user_scopes(), &names)?,
            None => (tokens.user_scopes().clone(), Roles::default()),
        };
        let now = self.now();
        let token = PersonalToken {
            id: PersonalTokenId::generate()?,
            user_id: owner.id,
            name: new.name,
            scopes,
            roles,
            generation: principal.generation(),
            created_at: now,
            expires_at: now.replace_nanosecond(0).unwrap_or(now) + life,
            last_used_at: None,
        };
        // Before the insertion, which locks the log. An attempt that finds too many tokens is counted as well.
        self.parts.throttle.admit_personal_token(owner.id).await?;
        let secret = PersonalTokenSecret::generate()?;
        let stored = StoredPersonalToken { token: token.clone(), digest: secret.digest() };
        if !tokens.store().insert(stored, MAX_PERSONAL_TOKENS).await? {
            let found = self.parts.users.find_by_id(owner.id).await?;
            let is_owner_current = found.as_ref().is_some_and(is_current);
            return Err(if is_owner_current {
                CreatePersonalTokenError::TooMany
            } else {
                CreatePersonalTokenError::Revoked
            });
        }
        events::account(owner.id, "personal_token_created", None);
        Ok(IssuedPersonalToken { token, secret })
    }

    /// Returns the personal access tokens of a user that can be used, the one that was made last first. None, where none are kept.
    ///
    /// # Errors
    ///
    /// When there is no such user or a store failed.
    pub async fn list_personal_tokens(&self, user_id: UserId) -> Result<Vec<PersonalToken>, AccountError> {
        let user = self.find_user(user_id).await?;
        let Some(tokens) = &self.parts.personal_tokens else { return Ok(Vec::new()) };
        Ok(tokens.store().list(user.id, user.generation, self.now(), MAX_PERSONAL_TOKENS).await?)
    }

    /// Deletes a personal access token of a user. When this has returned, the end is durable and this node refuses the token. Returns
    /// whether the user had a personal token with this id.
    ///
    /// # Errors
    ///
    /// When the store failed. Repeating is harmless.
    pub async fn delete_personal_token(&self, user_id: UserId, id: PersonalTokenId) -> Result<bool, StoreError> {
        let Some(tokens) = &self.parts.personal_tokens else { return Ok(false) };
        let Some(end) = tokens.store().delete(user_id, id, self.now()).await? else { return Ok(false) };
        self.parts.blacklist.note(&end);
        events::revoked(user_id, end.reason.as_str());
        Ok(true)
    }
}

/// Returns the scopes and the roles that `names` names, if the owner has each of them. The name of a scope that every login has stands
/// for the scope alone: the user may have meant that.
fn granted(owner: &User, user_scopes: &Scopes, names: &Scopes) -> Result<(Scopes, Roles), CreatePersonalTokenError> {
    let (scopes, others): (Vec<_>, Vec<_>) =
        names.iter().cloned().partition(|name| user_scopes.contains(name.as_str()));
    let has = |role: &Role| owner.roles.contains(role.as_str()) || (role.as_str() == ADMIN && owner.admin);
    let role_of = |name: Scope| {
        name.as_str().parse().ok().filter(has).ok_or_else(|| CreatePersonalTokenError::NotGranted(name.clone()))
    };
    let roles = others.into_iter().map(role_of).collect::<Result<Vec<_>, _>>()?;
    Ok((Scopes::of(scopes)?, Roles::of(roles)?))
}
