//! The trait of a password hash function.

use std::fmt;

use super::batch::{Batch, BatchKey, BatchResults};
use super::{Password, PasswordHash};
use crate::error::BoxError;

/// Hashes and verifies passwords. Both take long on purpose; call them through an [`AsyncPasswordHasher`].
pub trait PasswordHasher: fmt::Debug + Send + Sync {
    /// The most bytes of password that the scheme can take.
    fn max_bytes(&self) -> usize;

    /// Hashes a password of at most [`max_bytes`](PasswordHasher::max_bytes) with a new random salt.
    ///
    /// # Errors
    ///
    /// When the password is too long for the scheme, or there is no randomness.
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError>;

    /// Compares in constant time. A password too long for the scheme of `hash` is a [`Verdict::Mismatch`].
    ///
    /// # Errors
    ///
    /// When the hash is unusable.
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError>;

    /// A well-formed hash with the configured parameters that no known password has, made without hashing. Verifying
    /// against it costs what verifying a real user costs.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    fn decoy(&self) -> Result<PasswordHash, HashError>;

    /// With which other jobs the comparison with `stored`, or the making of a new hash when it is `None`, can be
    /// computed together. `None`, the default, when it is computed alone.
    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        let _ = stored;
        None
    }

    /// Does one job, or several of one [`BatchKey`]. Each has the result that [`hash`](PasswordHasher::hash) or
    /// [`verify`](PasswordHasher::verify) would have given it, whatever the others are; one that fails takes no other
    /// with it. The default does one after the other.
    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        BatchResults {
            hashes: jobs.hash.iter().map(|password| self.hash(password)).collect(),
            verdicts: jobs.verify.iter().map(|(password, hash)| self.verify(password, hash)).collect(),
        }
    }
}

/// What came of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Match,
    /// It is the password, and the hash should be made anew: its scheme or cost is not the configured one.
    MatchRehash,
    /// It is not the password.
    Mismatch,
}

/// Why a hasher could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The stored hash is of no scheme we know, is malformed, or asks for more work than we allow.
    #[error("the stored password hash cannot be used: {0}")]
    UnusableHash(&'static str),
    /// The hash function failed.
    #[error("the password hash function failed")]
    Failed(#[source] BoxError),
}
