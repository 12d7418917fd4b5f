//! Follows the managed keys, and logs what becomes of them.

use std::error::Error as StdError;
use std::sync::Arc;

use auth_jwt::{KeyChange, KeyEvent, ManagedKeys, ManagedKeysError};

/// The task that reads the managed keys, and makes a new one when that is due.
pub(crate) struct KeyFollower {
    keys: Arc<ManagedKeys>,
}

impl KeyFollower {
    pub(crate) fn new(keys: Arc<ManagedKeys>) -> Self {
        Self { keys }
    }

    /// Reads the keys for the first time. A database that cannot be read yet is no error: until then the server is not ready.
    ///
    /// # Errors
    ///
    /// A key cannot be decrypted or made, which no waiting mends.
    pub(crate) async fn begin(&self) -> Result<(), ManagedKeysError> {
        match self.keys.sync().await {
            Ok(changes) => changes.iter().for_each(log_change),
            Err(error @ ManagedKeysError::Store(_)) => {
                tracing::warn!(
                    error = &error as &dyn StdError,
                    "the keys cannot be read yet, so this server is not ready"
                );
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the keys at every poll.
    pub(crate) async fn run(self) {
        self.keys.follow(log).await;
    }
}

fn log(event: KeyEvent) {
    match event {
        KeyEvent::Changed(change) => log_change(&change),
        KeyEvent::Failing(error) => {
            let error = &error as &dyn StdError;
            tracing::error!(error, "the keys cannot be read or used; this server goes on with those that it has");
        }
        KeyEvent::Recovered => tracing::info!("the keys are read again"),
        _ => {}
    }
}

fn log_change(change: &KeyChange) {
    match change {
        KeyChange::Published { kid, signs_from } => tracing::info!(kid, %signs_from, "a new key was published"),
        KeyChange::Signing { kid } => tracing::info!(kid, "tokens are signed with another key from now on"),
        KeyChange::Resealed(keys) => tracing::info!(keys, "keys were encrypted with the present master key"),
        _ => {}
    }
}
