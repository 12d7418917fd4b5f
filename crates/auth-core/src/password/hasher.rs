//! The trait of a password hash function.

use std::fmt;

use super::batch::{Batch, BatchKey, BatchResults};
use super::outcome::{HashError, Verdict};
use super::{Password, PasswordHash};

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
    fn dummy_hash(&self) -> Result<PasswordHash, HashError>;

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
