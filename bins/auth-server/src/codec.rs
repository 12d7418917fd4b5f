//! The codec of a server, which signs and reads its tokens with a key of the configuration or with the keys of the database.

use std::sync::Arc;

use auth_core::keys::{KeySchedule, KeyStore};
use auth_core::{BoxError, Clock, TokenCodec};
use auth_jwt::{CacheStats, Jwks, JwtCodec, ManagedKeys, ManagedKeysOptions, MasterKeys};

use crate::config::Config;

/// The codec of a server.
#[derive(Debug, Clone)]
pub(crate) enum Codec {
    /// Keys of the configuration, which stay as they are until the process ends.
    Fixed(Arc<JwtCodec>),
    /// Keys of the database.
    Managed(Arc<ManagedKeys>),
}

impl Codec {
    /// Returns the codec, for the service.
    pub(crate) fn token_codec(&self) -> Arc<dyn TokenCodec> {
        match self {
            Self::Fixed(codec) => codec.clone(),
            Self::Managed(keys) => keys.clone(),
        }
    }

    /// Returns the managed keys, if the keys are managed.
    pub(crate) fn managed(&self) -> Option<&Arc<ManagedKeys>> {
        match self {
            Self::Fixed(_) => None,
            Self::Managed(keys) => Some(keys),
        }
    }

    /// Returns the public keys. If `is_proof`, a key that is not among them does not exist: the keys are read first, because another
    /// node may have made one a moment ago.
    ///
    /// # Errors
    ///
    /// When the keys cannot be read, or this node cannot use all of them.
    pub(crate) async fn jwks(&self, is_proof: bool) -> Result<Jwks, BoxError> {
        match self {
            Self::Fixed(codec) => Ok(codec.jwks()),
            Self::Managed(keys) => {
                if is_proof {
                    keys.learn_keys().await?;
                }
                keys.jwks()
                    .filter(|_| keys.is_ready())
                    .ok_or_else(|| "a key has not been read, or cannot be decrypted".into())
            }
        }
    }

    /// Returns whether there are public keys, now or as soon as they have been read.
    pub(crate) fn has_public_keys(&self) -> bool {
        match self {
            Self::Fixed(codec) => !codec.jwks().is_empty(),
            Self::Managed(_) => true,
        }
    }

    /// Returns the counts and the size of the cache of verified tokens.
    pub(crate) fn cache_stats(&self) -> CacheStats {
        match self {
            Self::Fixed(codec) => codec.cache_stats(),
            Self::Managed(keys) => keys.cache_stats(),
        }
    }
}

/// Returns the managed keys of a server or a command. Nothing is read from `store` yet.
pub(crate) fn managed_keys(
    config: &Config,
    masters: &MasterKeys,
    store: Arc<dyn KeyStore>,
    clock: &Arc<dyn Clock>,
) -> ManagedKeys {
    let schedule = KeySchedule {
        rotation: config.keys.rotation,
        jwks_max_age: config.keys.jwks_max_age,
        poll: config.blacklist_poll,
        token_life: config.longest_token_life(),
    };
    let mut options = ManagedKeysOptions::new(schedule, &config.token_issuer, &config.token_audience);
    options.algorithm = config.keys.algorithm;
    options.cached_tokens = config.token_cache;
    options.further.clone_from(&config.verifying);
    ManagedKeys::new(
        store,
        masters.clone(),
        options,
        Arc::clone(clock),
        Arc::new(|time| Box::pin(tokio::time::sleep(time))),
    )
}
