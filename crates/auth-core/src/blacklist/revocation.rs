//! Revocations: the entries of the blacklist.

use time::OffsetDateTime;

use crate::ids::{Generation, SessionId, TokenId, UserId};
use crate::key_id::KeyId;
use crate::token::Claims;

/// Target of a revocation: the tokens that it ends.
///
/// The enum is exhaustive, because a blacklist that ignores a kind of target would accept revoked tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationTarget {
    /// One token that belongs to no renewable session, by its `jti`. It expires at the
    /// [`expires_at`](Revocation::expires_at) of the entry.
    Token(TokenId),
    /// Every token of a [renewable session](Claims::renewable_session), by its `sid`. None expires later than the
    /// [`expires_at`](Revocation::expires_at) of the entry.
    Session(SessionId),
    /// Every token of a user whose generation is lower than `below`. For a client, the id is that of the client.
    User {
        /// The user.
        id: UserId,
        /// The user's new generation.
        below: Generation,
    },
    /// Every token that was signed with a key.
    Key(KeyId),
}

/// Reason of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationReason {
    /// The holder logged out.
    Logout,
    /// The holder, or an operator, logged out everywhere.
    LogoutEverywhere,
    /// The password was changed.
    PasswordChange,
    /// The account was disabled.
    Disabled,
    /// The user is no admin any more.
    Demoted,
    /// The user, or an operator, ended the session from another one.
    SessionEnded,
    /// A refresh token was used a second time.
    RefreshReuse,
    /// The account has its former e-mail address again.
    EmailRestored,
    /// The account was deleted.
    Deleted,
    /// The user has lost a role.
    RoleRemoved,
    /// The key that signed the tokens was revoked.
    KeyRevoked,
    /// The client was disabled.
    ClientDisabled,
    /// The personal access token was deleted.
    PersonalTokenDeleted,
}

impl RevocationReason {
    /// All reasons.
    pub const ALL: [Self; 13] = [
        Self::Logout,
        Self::LogoutEverywhere,
        Self::PasswordChange,
        Self::Disabled,
        Self::Demoted,
        Self::SessionEnded,
        Self::RefreshReuse,
        Self::EmailRestored,
        Self::Deleted,
        Self::RoleRemoved,
        Self::KeyRevoked,
        Self::ClientDisabled,
        Self::PersonalTokenDeleted,
    ];

    /// Returns the reason as a stable word, for storage and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutEverywhere => "logout_everywhere",
            Self::PasswordChange => "password_change",
            Self::Disabled => "disabled",
            Self::Demoted => "demoted",
            Self::SessionEnded => "session_ended",
            Self::RefreshReuse => "refresh_reuse",
            Self::EmailRestored => "email_restored",
            Self::Deleted => "deleted",
            Self::RoleRemoved => "role_removed",
            Self::KeyRevoked => "key_revoked",
            Self::ClientDisabled => "client_disabled",
            Self::PersonalTokenDeleted => "personal_token_deleted",
        }
    }

    /// Returns the reason with this word, which [`as_str`](Self::as_str) made.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// One entry of the blacklist. It holds neither a token nor a hash of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The tokens that end.
    pub target: RevocationTarget,
    /// Instant after which the entry is not needed, except for [`LEEWAY`](crate::LEEWAY).
    ///
    /// For one token it is the expiry that its claims have. Memory and the log find a token by expiry and id together, so
    /// an entry with another expiry revokes nothing. For a session, a user and a key, no token that the entry covers
    /// expires later.
    pub expires_at: OffsetDateTime,
    /// Time of the revocation. A token of a session that had expired by more than
    /// [`MAX_CLOCK_SKEW`](crate::MAX_CLOCK_SKEW) then may be left out of memory.
    pub revoked_at: OffsetDateTime,
    /// Reason of the revocation.
    pub reason: RevocationReason,
}

impl Revocation {
    /// Returns whether this revocation ends the token with these claims.
    #[must_use]
    pub fn covers(&self, claims: &Claims) -> bool {
        match self.target {
            RevocationTarget::Token(id) => claims.token_id == id && claims.renewable_session().is_none(),
            RevocationTarget::Session(id) => claims.renewable_session() == Some(id),
            RevocationTarget::User { .. } => self.ends_user(claims.user_id, claims.generation),
            RevocationTarget::Key(id) => claims.key_id == Some(id),
        }
    }

    /// Returns whether this revocation ends all tokens of this user and generation.
    #[must_use]
    pub fn ends_user(&self, user_id: UserId, generation: Generation) -> bool {
        matches!(self.target, RevocationTarget::User { id, below } if id == user_id && generation < below)
    }
}
