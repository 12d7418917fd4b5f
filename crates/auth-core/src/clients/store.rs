//! The store of clients.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{Client, ClientSecretDigest};
use crate::blacklist::Revocation;
use crate::error::StoreError;
use crate::ids::ClientId;
use crate::user::UserRevocation;

/// Replacement of the secret of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretRotation {
    /// Digest of the secret that is replaced. It must be the current one.
    pub replaced: ClientSecretDigest,
    /// Digest of the new secret.
    pub replacement: ClientSecretDigest,
    /// Time until which the replaced secret is still accepted. `None` if it is refused at once.
    pub replaced_until: Option<OffsetDateTime>,
}

/// Keeps clients.
///
/// # Contract
///
/// - A row that a call wrote is seen by every later read, on any connection and any node, and survives a restart.
/// - Of many rotations that replace one secret at once, exactly one succeeds.
/// - Disabling a client, its new generation and its entry in the log of revocations are one transaction. The store shares the
///   database of the log.
/// - An entry for a user that is [appended](crate::RevocationLog::append) raises the generation of the client with that id, if there
///   is one with a lower generation. [`covers`](crate::RevocationSource::covers) refuses a token of a client whose generation is
///   below that of the client.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - Instants are kept to the microsecond.
/// - A store that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "no client".
/// - A row that cannot become a [`Client`] is [`Corrupt`](crate::StoreErrorKind::Corrupt).
#[async_trait]
pub trait ClientStore: fmt::Debug + Send + Sync {
    /// Inserts a client. Its id is random, so no other client has it.
    ///
    /// # Errors
    ///
    /// When the store failed. The client may have been written all the same.
    async fn insert(&self, new: Client) -> Result<(), StoreError>;

    /// Returns the client with this id.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find(&self, id: ClientId) -> Result<Option<Client>, StoreError>;

    /// Returns at most `limit` clients with an id greater than `after`, in order of id. Disabled and expired ones are among them.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn list(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<Client>, StoreError>;

    /// Replaces the secret of a client, only if [`replaced`](SecretRotation::replaced) is the current one, and returns whether it did.
    /// A secret before the replaced one is forgotten. The generation stays.
    ///
    /// # Errors
    ///
    /// When the store failed. The secret may have been replaced all the same: [`find`](Self::find) shows whether it was.
    async fn rotate_secret(&self, id: ClientId, rotation: SecretRotation) -> Result<bool, StoreError>;

    /// Disables a client at `at`, raises its generation by one and appends
    /// [`revocation.entry(id, new_generation)`](UserRevocation::entry), with the id of the client as that of a user, in one
    /// transaction. Disabling a disabled client keeps the first moment.
    ///
    /// Returns the client as this change left it and the entry, or `None` if there is no such client.
    ///
    /// # Errors
    ///
    /// When the store failed. Then either everything was written or nothing. Repeating raises the generation once more, which does
    /// no harm.
    async fn disable(
        &self,
        id: ClientId,
        at: OffsetDateTime,
        revocation: UserRevocation,
    ) -> Result<Option<(Client, Revocation)>, StoreError>;

    /// Lets a disabled client authenticate again and returns it. The generation stays, so tokens from before stay revoked. Repeating
    /// it changes nothing.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn enable(&self, id: ClientId) -> Result<Option<Client>, StoreError>;

    /// Records a use at `at`, unless a later one is recorded. A client that does not exist is no error.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn record_use(&self, id: ClientId, at: OffsetDateTime) -> Result<(), StoreError>;
}
