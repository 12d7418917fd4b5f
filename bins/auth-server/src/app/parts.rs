//! The parts of a server that the configuration alone decides.

use std::sync::Arc;

use auth_core::keys::KeyStore;
use auth_core::letters::LetterOptions;
use auth_core::{AttemptStore, AuthServiceBuilder, Clock, OneTimeTokenStore, Outbox, PasswordPolicy, Throttle};
use auth_feed::server::{FeedServer, FeedServerOptions};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{Argon2Hasher, BcryptHasher, PasswordPool, PasswordSchemes, PoolOptions, PriorityOutcome};

use super::error::AppError;
use crate::codec::{Codec, managed_keys};
use crate::config::{
    Config, HASH_PRIORITY, PASSWORD_LEGACY, PasswordScheme, PasswordSettings, SigningSource, work_label,
};
use crate::secret_file;

/// Number of polls after which the feed of a node whose own checks read the database is too old to be served.
const POLLS_OF_FEED: u32 = 8;

pub(super) fn password_pool(
    config: &Config,
    schemes: &Arc<PasswordSchemes>,
    clock: &Arc<dyn Clock>,
) -> Result<PasswordPool, AppError> {
    let mut options = PoolOptions::default();
    options.threads = config.hashing.threads;
    options.width = config.hashing.width;
    options.queue = config.hashing.queue;
    options.max_wait = config.hashing.max_wait;
    options.priority = config.hashing.priority;
    options.clock = Arc::clone(clock);
    let pool = PasswordPool::new(schemes.clone(), options).map_err(|error| AppError::Internal(error.into()))?;
    if pool.priority() != PriorityOutcome::Set {
        let setting = HASH_PRIORITY.variable();
        tracing::warn!(
            setting,
            outcome = ?pool.priority(),
            "the hashing threads run with the priority of all others; a flood of logins may slow token checks down"
        );
    }
    Ok(pool)
}

/// Builds the hash functions: the configured one for new passwords, and both for stored hashes.
pub(super) fn password_schemes(settings: &PasswordSettings) -> Result<PasswordSchemes, AppError> {
    let bcrypt = BcryptHasher::new(settings.bcrypt_cost).map_err(|error| AppError::Internal(error.into()))?;
    let argon2 = Argon2Hasher::new(settings.argon2);
    let schemes = match settings.scheme {
        PasswordScheme::Bcrypt => PasswordSchemes::new(bcrypt).reading(argon2),
        PasswordScheme::Argon2id => PasswordSchemes::new(argon2).reading(bcrypt),
    };
    let schemes = settings.legacy.iter().copied().fold(schemes, PasswordSchemes::with_level);
    Ok(schemes.on_new_level(|level| {
        let (level, setting) = (work_label(level), PASSWORD_LEGACY.variable());
        tracing::warn!(
            level,
            setting,
            "a stored password hash takes more work than those before; until a restart every login computes as much"
        );
    }))
}

/// Builds the feed of revocations, if followers may read it. It answers while this node's copy of the log is as fresh as this node's
/// own checks demand, or has missed a few polls where they read the database.
pub(super) fn feed(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Arc<FeedServer>>, AppError> {
    if !config.feed {
        return Ok(None);
    }
    let bound = config.blacklist_max_staleness;
    let max_age = if bound.is_zero() { POLLS_OF_FEED * config.blacklist_poll } else { bound };
    let options = FeedServerOptions { max_age, ..FeedServerOptions::default() };
    let feed = FeedServer::new(Arc::clone(clock), options).map_err(|error| AppError::Internal(error.into()))?;
    Ok(Some(Arc::new(feed)))
}

pub(super) fn password_policy(config: &Config) -> PasswordPolicy {
    let policy = PasswordPolicy::new(config.passwords.min_length);
    if config.passwords.common_list { policy.refuse_common() } else { policy }
}

pub(super) fn throttle(
    config: &Config,
    attempts: &Arc<dyn AttemptStore>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<Throttle>>, AppError> {
    let Some(limits) = &config.throttle else { return Ok(None) };
    let throttle = Throttle::new(Arc::clone(attempts), limits, Arc::clone(clock));
    Ok(Some(Arc::new(throttle.map_err(|error| AppError::Internal(error.into()))?)))
}

pub(super) fn with_letters(
    service: AuthServiceBuilder,
    config: &Config,
    one_time_tokens: &Arc<dyn OneTimeTokenStore>,
    outbox: &Arc<dyn Outbox>,
) -> AuthServiceBuilder {
    let mut options = LetterOptions::default();
    options.require_verified = config.require_verified_email;
    service.letters(Arc::clone(one_time_tokens), Arc::clone(outbox), options)
}

/// Builds the codec. No keys are read from `store` yet.
pub(super) fn codec(config: &Config, store: Arc<dyn KeyStore>, clock: &Arc<dyn Clock>) -> Result<Codec, AppError> {
    let signing = match &config.signing {
        SigningSource::Managed(masters) => {
            return Ok(Codec::Managed(Arc::new(managed_keys(config, masters, store, clock))));
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
    Ok(Codec::Fixed(Arc::new(config.verifying.iter().cloned().fold(codec, JwtCodec::with_verifying_key))))
}

fn signing_key(secret: &[u8]) -> Result<SigningKey, AppError> {
    SigningKey::from_secret(secret).map_err(|error| AppError::Internal(error.into()))
}
