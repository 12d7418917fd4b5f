//! Writes that accompany a change of a user.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::UserId;
use crate::letters::Letter;
use crate::one_time::{OneTimeTokenId, OneTimeTokenPurpose, StoredOneTimeToken};
use crate::random::{NoRandomness, random_bytes};

/// Writes that a store makes in the transaction of a change: all of them with the change, or none.
///
/// A store makes them in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct SideEffects {
    /// One-time token that the change uses up. If it cannot be used, nothing is written at all.
    pub redeem: Option<Redemption>,
    /// Open one-time tokens that end.
    pub end: Option<EndTokens>,
    /// New one-time tokens.
    pub tokens: Vec<StoredOneTimeToken>,
    /// Letters for the outbox.
    pub letters: Vec<Letter>,
}

impl SideEffects {
    /// Returns whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.redeem.is_none() && self.end.is_none() && self.tokens.is_empty() && self.letters.is_empty()
    }
}

/// Use of a one-time token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redemption {
    /// The token.
    pub token: OneTimeTokenId,
    /// Time of the use. The token must expire later.
    pub at: OffsetDateTime,
    /// Random number of this use. A store whose first attempt may have been committed recognises it by this number.
    pub nonce: Uuid,
}

impl Redemption {
    /// Returns a use of `token` at `at`.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn new(token: OneTimeTokenId, at: OffsetDateTime) -> Result<Self, NoRandomness> {
        Ok(Self { token, at, nonce: uuid::Builder::from_random_bytes(random_bytes()?).into_uuid() })
    }
}

/// End of the open one-time tokens of a user that have one of these purposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndTokens {
    /// The user.
    pub user_id: UserId,
    /// The purposes.
    pub purposes: Vec<OneTimeTokenPurpose>,
    /// Time of the end.
    pub at: OffsetDateTime,
}
