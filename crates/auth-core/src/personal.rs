//! Personal access tokens, which users make for their programs.
//!
//! The text of a personal token is a random secret, and the store keeps a digest of it. A check looks the digest up and makes
//! *virtual claims* from the row and its owner, which are those that a short access token of a session would have. So a personal
//! token is to the blacklist what a session is, and a look-up is what a refresh is: the end of a personal token is one entry of
//! the log, and every rule of the blacklist holds for it as it stands.

mod flights;
mod lane;
mod memory;
mod name;
mod options;
mod purge;
mod secret;
mod store;
mod tokens;

use std::time::Duration;

use time::OffsetDateTime;

use crate::blacklist::{Revocation, RevocationReason, RevocationTarget};
use crate::grants::{Role, Roles, Scope, Scopes};
use crate::ids::{Generation, PersonalTokenId, UserId};
use crate::token::MAX_CLOCK_SKEW;

pub use self::name::{MAX_TOKEN_NAME_CHARS, TokenName, TokenNameError};
pub use self::options::{MAX_REMEMBERED_TOKENS, PersonalTokenOptions};
pub use self::purge::purge_personal_tokens;
pub use self::secret::{MalformedPersonalToken, PERSONAL_TOKEN_PREFIX, PersonalTokenDigest, PersonalTokenSecret};
pub use self::store::{PersonalTokenStore, StoredPersonalToken};
pub(crate) use self::tokens::LookUpResult;
pub use self::tokens::{PersonalTokenStats, PersonalTokens};

/// Life of a personal token unless its maker asks for another: 30 days.
pub const DEFAULT_PERSONAL_TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Maximum life of a personal token: 366 days.
pub const MAX_PERSONAL_TOKEN_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Maximum number of personal tokens of a user that can be used.
pub const MAX_PERSONAL_TOKENS: u32 = 50;

/// Time for which the result of one look-up is used. The entry of the log that ends a personal token outlives it.
pub(crate) const LOOK_UP_LIFE: Duration = Duration::from_secs(15 * 60);

/// A personal token, as far as its user may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalToken {
    /// Id of the token.
    pub id: PersonalTokenId,
    /// The user who made it.
    pub user_id: UserId,
    /// Name that the user gave it.
    pub name: TokenName,
    /// Scopes that the user gave it. It allows those of them that logins still get.
    pub scopes: Scopes,
    /// Roles that the user gave it, [`ADMIN`](crate::ADMIN) among them. It allows those of them that the user still has. Whether a name
    /// is a scope or a role was decided when the token was made: a later setting makes no role of a scope.
    pub roles: Roles,
    /// Generation of the login that made it. The token cannot be used by a user of a higher one.
    pub generation: Generation,
    /// Time at which it was made.
    pub created_at: OffsetDateTime,
    /// Time from which on it is refused, in whole seconds.
    pub expires_at: OffsetDateTime,
    /// Time of a recent use, to a quarter of an hour. `None` if it was never used.
    pub last_used_at: Option<OffsetDateTime>,
}

impl PersonalToken {
    /// Returns the names of the scopes and roles that the user gave the token, in alphabetical order: one list, as it was asked for.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let (scopes, roles) = (self.scopes.iter().map(Scope::as_str), self.roles.iter().map(Role::as_str));
        let mut names: Vec<_> = scopes.chain(roles).collect();
        names.sort_unstable();
        names
    }

    /// Returns whether the token can be used at `now` by a user of this generation.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime, generation: Generation) -> bool {
        now < self.expires_at && self.generation == generation
    }

    /// Returns the entry of the log that ends the token with this id at `at`. It outlives every result of a look-up, on any node.
    #[must_use]
    pub fn end(id: PersonalTokenId, at: OffsetDateTime) -> Revocation {
        Revocation {
            target: RevocationTarget::Session(id.session()),
            expires_at: at + LOOK_UP_LIFE + MAX_CLOCK_SKEW,
            revoked_at: at,
            reason: RevocationReason::PersonalTokenDeleted,
        }
    }
}

/// A personal token to be made.
#[derive(Debug, Clone)]
pub struct NewPersonalToken {
    /// Name of the token.
    pub name: TokenName,
    /// Scopes and names of roles. `None` stands for the scopes that every login gets, without any role. A name that is both stands for
    /// the scope.
    pub scopes: Option<Scopes>,
    /// Life of the token in whole seconds, from one second to [`MAX_PERSONAL_TOKEN_LIFE`]. `None` stands for
    /// [`DEFAULT_PERSONAL_TOKEN_LIFE`].
    pub life: Option<Duration>,
}

/// A personal token that was just made.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedPersonalToken {
    /// The token.
    pub token: PersonalToken,
    /// Its text, which is a secret and is not kept.
    pub secret: PersonalTokenSecret,
}
