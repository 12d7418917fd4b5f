//! The blacklist: the tokens that are refused although they have not expired.

mod feed;
mod log;
mod purge;
mod revocation;
mod unsynced;

use std::fmt;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::token::Claims;

pub use self::feed::{FeedStep, LogObserver, LogProgress, RevocationFeed, RevocationSink};
pub use self::log::{LogEntry, LogIdentity, LogPage, Mark, Position, Purged, RevocationLog, RevocationSource};
pub use self::purge::{PURGE_MARGIN, purge_expired};
pub use self::revocation::{Revocation, RevocationReason, RevocationTarget};
pub use self::unsynced::UnsyncedBlacklist;

/// State of a token, as far as memory can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The token is revoked. This never changes back.
    Revoked,
    /// The token is not revoked, as of a moment that is recent enough.
    Good,
    /// Memory is too old to tell; [`Blacklist::look_up`] must be called.
    Unknown,
}

/// Set of revoked tokens. It answers whether a token was revoked, and takes new revocations.
///
/// # Contract
///
/// - Monotonic: a token that was reported as revoked is reported so until it has expired.
/// - Once [`revoke`](Blacklist::revoke) has returned, this instance reports the token as revoked.
/// - Revoking twice is revoking once.
/// - No revocation is removed before its token has expired, leeway included, however many there are.
#[async_trait]
pub trait Blacklist: fmt::Debug + Send + Sync {
    /// Returns the state of a token from memory, without I/O and without waiting.
    fn peek(&self, claims: &Claims) -> Standing;

    /// Asks the log whether the token was revoked.
    ///
    /// # Errors
    ///
    /// When the log cannot be read. The token must not be accepted then.
    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError>;

    /// Writes a revocation durably and refuses the tokens that it covers from now on. A revocation that has expired,
    /// leeway included, is accepted and need not be stored.
    ///
    /// # Errors
    ///
    /// When it could not be written, or nobody knows whether it was. Repeating is harmless.
    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError>;

    /// Adds a revocation that is durable already to memory, so that this instance refuses the tokens that it covers at
    /// once. [`UserStore::change_and_revoke`](crate::UserStore::change_and_revoke) makes such revocations.
    fn note(&self, revocation: &Revocation);
}
