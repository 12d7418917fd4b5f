//! The trait of a password hash function.

use std::fmt;

use super::batch::{Batch, BatchKey, BatchResults};
use super::outcome::{HashError, Verdict};
use super::{Password, PasswordHash};

/// Password hash function. Hashing and verifying take long on purpose. Call them through an [`AsyncPasswordHasher`](super::AsyncPasswordHasher).
pub trait PasswordHasher: fmt::Debug + Send + Sync {
    /// Returns the maximum length of a password for this scheme, in bytes.
    fn max_bytes(&self) -> usize;

    /// Hashes a password of at most [`max_bytes`](PasswordHasher::max_bytes) with a new random salt.
    ///
    /// # Errors
    ///
    /// When the password is too long for the scheme, or there is no randomness.
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError>;

    /// Compares a password with a stored hash in constant time. A password too long for the scheme of `hash` is a
    /// [`Verdict::Mismatch`].
    ///
    /// # Errors
    ///
    /// When the hash is unusable.
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError>;

    /// Returns a dummy hash: a well-formed hash with the configured parameters that no known password has. Making it
    /// computes no hash. Verifying against it costs as much as verifying a real user.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    fn dummy_hash(&self) -> Result<PasswordHash, HashError>;

    /// Returns the key of the jobs that can be computed together with this one, or `None` if it is computed alone. The
    /// job is a comparison with `stored`, or a new hash if `stored` is `None`. The default is `None`.
    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        let _ = stored;
        None
    }

    /// Computes one job, or several jobs with the same [`BatchKey`].
    ///
    /// Each job has the result that [`hash`](PasswordHasher::hash) or [`verify`](PasswordHasher::verify) would have
    /// given, whatever the others are. A failure of one does not affect the others. The default computes one after the
    /// other.
    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        BatchResults {
            hashes: jobs.hash.iter().map(|password| self.hash(password)).collect(),
            verdicts: jobs.verify.iter().map(|(password, hash)| self.verify(password, hash)).collect(),
        }
    }
}
