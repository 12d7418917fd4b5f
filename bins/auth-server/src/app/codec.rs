//! The codec of a server, with the key or the keys that the configuration names.

use std::sync::Arc;

use auth_core::keys::{KeySchedule, KeyStore};
use auth_core::{Clock, TokenCodec};
use auth_jwt::{CacheStats, Jwks, JwtCodec, ManagedKeys, ManagedKeysOptions, MasterKeys, SigningKey};

use super::error::AppError;
use crate::config::{Config, SigningSource};
use crate::secret_file;

/// What signs and reads the tokens of a server.
#[derive(Debug, Clone)]
pub(crate) enum Codec {
    /// Keys of the configuration, which stay as they are until the process ends.
    Fixed(Arc<JwtCodec>),
    /// Keys of the database.
    Managed(Arc<ManagedKeys>),
}

impl Codec {
    /// Builds the codec. Nothing is read from `store` yet.
    ///
    /// # Errors
    ///
    /// The secret cannot be made or read.
    pub(super) fn new(config: &Config, store: Arc<dyn KeyStore>, clock: &Arc<dyn Clock>) -> Result<Self, AppError> {
        let signing = match &config.signing {
            SigningSource::Managed(masters) => {
                return Ok(Self::Managed(Arc::new(managed_keys(config, masters, store, clock))));
            }
            SigningSource::Key { key, .. } => SigningKey::clone(key),
            SigningSource::CreatedAt(path) => {
                let secret = secret_file::read_or_create(path)
                    .map_err(|error| AppError::Secret(path.display().to_string(), error))?;
                signing_key(secret.expose_secret())?
            }
            SigningSource::Random => signing_key(secret_file::random_secret()?.expose_secret())?,
        };
        let codec = JwtCodec::new(signing, &config.token_issuer, &config.token_audience);
        let codec = codec.with_cached_tokens(config.token_cache);
        Ok(Self::Fixed(Arc::new(config.verifying.iter().cloned().fold(codec, JwtCodec::with_verifying_key))))
    }

    /// Returns the codec, for the service.
    pub(super) fn token_codec(&self) -> Arc<dyn TokenCodec> {
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

    /// Returns the public keys, or `None` if they have not been read yet.
    pub(crate) fn jwks(&self) -> Option<Jwks> {
        match self {
            Self::Fixed(codec) => Some(codec.jwks()),
            Self::Managed(keys) => keys.jwks(),
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

fn signing_key(secret: &[u8]) -> Result<SigningKey, AppError> {
    SigningKey::from_secret(secret).map_err(|error| AppError::Internal(error.into()))
}
