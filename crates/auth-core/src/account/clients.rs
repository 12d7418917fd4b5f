//! Creating and changing clients, for operators.

use std::time::Duration;

use crate::blacklist::RevocationReason;
use crate::clients::{Client, ClientName, ClientSecret, ClientStore, PreviousSecret, SecretRotation};
use crate::error::{BoxError, StoreError};
use crate::events;
use crate::grants::Scopes;
use crate::ids::{ClientId, Generation};
use crate::service::AuthService;

const MIN_CLIENT_LIFE: Duration = Duration::from_secs(1);

/// Maximum life of a client that expires: ten years.
pub const MAX_CLIENT_LIFE: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);

/// Maximum time for which the replaced secret of a client stays good beside the new one: 90 days.
pub const MAX_SECRET_OVERLAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A client that is to be created.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Name for people.
    pub name: ClientName,
    /// Scopes that its tokens may have.
    pub scopes: Scopes,
    /// Time until it expires, at most [`MAX_CLIENT_LIFE`]. `None` if it never does.
    pub life: Option<Duration>,
}

/// A client with a secret that was just made. The secret cannot be had a second time.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreatedClient {
    /// The client.
    pub client: Client,
    /// The secret.
    pub secret: ClientSecret,
}

/// Reason that an operation on a client failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The builder was given no store of clients.
    #[error("this service keeps no clients")]
    NotKept,
    /// There is no client with this id.
    #[error("there is no such client")]
    NotFound,
    /// The life of a new client is out of its bounds.
    #[error("a client that expires must live from 1 second to {} days", MAX_CLIENT_LIFE.as_secs() / 86_400)]
    Life,
    /// The time for which the replaced secret stays good is too long.
    #[error("the old secret can stay good for at most {} days", MAX_SECRET_OVERLAP.as_secs() / 86_400)]
    Overlap,
    /// Another caller replaced the secret at the same time.
    #[error("somebody else has just replaced the secret")]
    Raced,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

impl AuthService {
    /// Returns whether the builder was given a store of clients.
    #[must_use]
    pub fn keeps_clients(&self) -> bool {
        self.parts.clients.is_some()
    }

    /// Creates a client with a new secret.
    ///
    /// # Errors
    ///
    /// When no clients are kept, the life is out of its bounds or a part failed.
    pub async fn create_client(&self, new: NewClient) -> Result<CreatedClient, ClientError> {
        let store = self.client_store()?;
        if new.life.is_some_and(|life| !(MIN_CLIENT_LIFE..=MAX_CLIENT_LIFE).contains(&life)) {
            return Err(ClientError::Life);
        }
        let id = ClientId::generate().map_err(|error| ClientError::Internal(error.into()))?;
        let secret = ClientSecret::generate().map_err(|error| ClientError::Internal(error.into()))?;
        let now = self.now();
        // Tokens end with the client and in whole seconds. So none is issued in the second in which the client expires.
        let expires_at = new.life.map(|life| (now + life).replace_nanosecond(0)).transpose();
        let client = Client {
            id,
            name: new.name,
            scopes: new.scopes,
            generation: Generation::default(),
            created_at: now,
            expires_at: expires_at.map_err(|error| ClientError::Internal(error.into()))?,
            disabled_at: None,
            last_used_at: None,
            secret: secret.digest(),
            previous: None,
        };
        store.insert(client.clone()).await?;
        events::client(id, "created");
        Ok(CreatedClient { client, secret })
    }

    /// Returns the client with this id.
    ///
    /// # Errors
    ///
    /// When there is no such client or the store failed.
    pub async fn find_client(&self, id: ClientId) -> Result<Client, ClientError> {
        self.client_store()?.find(id).await?.ok_or(ClientError::NotFound)
    }

    /// Returns at most `limit` clients with an id greater than `after`, in order of their ids.
    ///
    /// # Errors
    ///
    /// When no clients are kept or the store failed.
    pub async fn list_clients(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<Client>, ClientError> {
        Ok(self.client_store()?.list(after, limit).await?)
    }

    /// Gives a client another secret. The replaced one stays good for `overlap`, at most [`MAX_SECRET_OVERLAP`], or is refused at
    /// once if that is zero. Tokens that were issued stay good until they expire; [`disable_client`](Self::disable_client) ends them.
    ///
    /// # Errors
    ///
    /// When there is no such client, the overlap is too long, somebody else replaced the secret meanwhile, or a part failed.
    pub async fn rotate_client_secret(&self, id: ClientId, overlap: Duration) -> Result<CreatedClient, ClientError> {
        if overlap > MAX_SECRET_OVERLAP {
            return Err(ClientError::Overlap);
        }
        let client = self.find_client(id).await?;
        let secret = ClientSecret::generate().map_err(|error| ClientError::Internal(error.into()))?;
        let replaced_until = (!overlap.is_zero()).then(|| self.now() + overlap);
        let rotation = SecretRotation { replaced: client.secret, replacement: secret.digest(), replaced_until };
        if !self.client_store()?.rotate_secret(id, rotation).await? {
            return Err(ClientError::Raced);
        }
        events::client(id, "secret rotated");
        // Without another read: the old secret may be refused from now on, and an error would lose the new one.
        let previous = replaced_until.map(|until| PreviousSecret { digest: client.secret, until });
        Ok(CreatedClient { client: Client { secret: secret.digest(), previous, ..client }, secret })
    }

    /// Disables a client and ends its tokens. When this has returned, the end is durable and this node refuses its tokens.
    ///
    /// # Errors
    ///
    /// When there is no such client or the store failed.
    pub async fn disable_client(&self, id: ClientId) -> Result<Client, ClientError> {
        let revocation = self.end_of_all_tokens(RevocationReason::ClientDisabled);
        let disabled = self.client_store()?.disable(id, self.now(), revocation).await?;
        let (client, entry) = disabled.ok_or(ClientError::NotFound)?;
        self.parts.blacklist.note(&entry);
        events::client(id, "disabled");
        Ok(client)
    }

    /// Lets a disabled client authenticate again. Tokens that were issued before stay revoked.
    ///
    /// # Errors
    ///
    /// When there is no such client or the store failed.
    pub async fn enable_client(&self, id: ClientId) -> Result<Client, ClientError> {
        let client = self.client_store()?.enable(id).await?.ok_or(ClientError::NotFound)?;
        events::client(id, "enabled");
        Ok(client)
    }

    fn client_store(&self) -> Result<&dyn ClientStore, ClientError> {
        self.parts.clients.as_deref().ok_or(ClientError::NotKept)
    }
}
