//! The part that hashes passwords, and its settings.

use std::fmt;
use std::sync::Arc;

use auth_core::{AsyncPasswordHasher, Clock, PasswordHasher};
#[cfg(feature = "argon2")]
use auth_password::{Argon2Hasher, Argon2Params};
use auth_password::{BcryptHasher, PasswordPool, PasswordSchemes, PoolOptions};

use crate::error::StartError;

/// Default cost of bcrypt: 12, about a quarter of a second of one core.
pub const DEFAULT_BCRYPT_COST: u32 = 12;

/// The hash function and the threads that compute it.
#[derive(Debug)]
pub(crate) struct Hashing {
    pub(crate) function: HashFunction,
    pub(crate) pool: Option<PoolOptions>,
}

/// The choice of the hash function.
pub(crate) enum HashFunction {
    /// bcrypt of this cost, which also reads Argon2id hashes if the feature is on.
    Bcrypt(u32),
    /// A hash function of the application, on a pool of ours.
    Own(Arc<dyn PasswordHasher>),
    /// Hashing of the application, with threads of its own.
    Elsewhere(Arc<dyn AsyncPasswordHasher>),
}

impl Default for Hashing {
    fn default() -> Self {
        Self { function: HashFunction::Bcrypt(DEFAULT_BCRYPT_COST), pool: None }
    }
}

impl Hashing {
    /// Starts the threads.
    pub(crate) fn start(self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn AsyncPasswordHasher>, StartError> {
        let hasher: Arc<dyn PasswordHasher> = match self.function {
            HashFunction::Bcrypt(cost) => Arc::new(schemes(cost)?),
            HashFunction::Own(hasher) => hasher,
            HashFunction::Elsewhere(passwords) => return Ok(passwords),
        };
        let options = self.pool.unwrap_or_else(|| {
            let mut options = PoolOptions::default();
            options.clock = Arc::clone(clock);
            options
        });
        Ok(Arc::new(PasswordPool::new(hasher, options).map_err(StartError::Threads)?))
    }
}

fn schemes(cost: u32) -> Result<PasswordSchemes, StartError> {
    let bcrypt = BcryptHasher::new(cost).map_err(|error| StartError::invalid("bcrypt_cost", error))?;
    let schemes = PasswordSchemes::new(bcrypt);
    #[cfg(feature = "argon2")]
    let schemes = schemes.reading(Argon2Hasher::new(Argon2Params::RECOMMENDED));
    Ok(schemes)
}

impl fmt::Debug for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bcrypt(cost) => f.debug_tuple("Bcrypt").field(cost).finish(),
            Self::Own(hasher) => hasher.fmt(f),
            Self::Elsewhere(passwords) => passwords.fmt(f),
        }
    }
}
