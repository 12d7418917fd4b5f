//! The stores of a server.

use std::sync::Arc;

use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_core::{
    AttemptStore, ClientStore, KeyStore, OneTimeTokenStore, Outbox, PersonalTokenStore, RevocationLog, SessionStore,
    UserStore,
};

/// The stores of a server.
#[derive(Debug, Clone)]
pub struct ServerStores {
    /// The users.
    pub users: Arc<dyn UserStore>,
    /// The log of revocations.
    pub log: Arc<dyn RevocationLog>,
    /// The sessions. The end of one is written to `log`.
    pub sessions: Arc<dyn SessionStore>,
    /// The personal access tokens. The end of one is written to `log`.
    pub personal_tokens: Arc<dyn PersonalTokenStore>,
    /// The clients. The end of their tokens is written to `log`.
    pub clients: Arc<dyn ClientStore>,
    /// The keys that the server makes, if it does. The revocation of one is written to `log`.
    pub keys: Arc<dyn KeyStore>,
    /// Counters of attempts for the rate limits.
    pub attempts: Arc<dyn AttemptStore>,
    /// The one-time tokens.
    pub one_time_tokens: Arc<dyn OneTimeTokenStore>,
    /// The letters that wait to be sent.
    pub outbox: Arc<dyn Outbox>,
}

/// Everything in memory.
impl From<Arc<MemoryStore>> for ServerStores {
    fn from(store: Arc<MemoryStore>) -> Self {
        Self {
            users: store.clone(),
            log: store.clone(),
            sessions: store.clone(),
            personal_tokens: store.clone(),
            clients: store.clone(),
            keys: store.clone(),
            attempts: Arc::new(MemoryAttempts::default()),
            one_time_tokens: store.clone(),
            outbox: store,
        }
    }
}
