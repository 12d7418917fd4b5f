//! Passwords: the secret, its hash, and the trait of what makes one from the other.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::BoxError;

#[cfg(feature = "argon2")]
pub mod argon2;
mod batch;
pub mod bcrypt;
mod common;
pub mod policy;
pub mod pool;
mod schemes;

#[cfg(feature = "argon2")]
pub use self::argon2::{Argon2Hasher, Argon2Params};
pub use self::batch::{Batch, BatchKey, BatchResults, Pause};
pub use self::bcrypt::BcryptHasher;
pub use self::policy::PasswordPolicy;
pub use self::pool::{PasswordPool, PoolError, PoolOptions, PoolStats, PriorityOutcome, ThreadPriority, WaitStats};
pub use self::schemes::{PasswordSchemes, Scheme, Work};

/// The most characters that a password may have before it is looked at any further.
pub const MAX_PASSWORD_CHARS: usize = 256;

/// A password, normalised to NFKC (NIST SP 800-63B-4 §3.1.1.2) so that one password typed on two keyboards is one
/// sequence of bytes. Erased from memory when dropped, never shown by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Takes a password as a person typed it.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than [`MAX_PASSWORD_CHARS`] (before or after the normalisation), or contains a NUL character (which bcrypt would read as
    /// the end).
    ///
    /// # Examples
    ///
    /// ```
    /// use auth_core::{Password, PasswordError};
    ///
    /// assert!(Password::parse("correct horse").is_ok());
    /// assert_eq!(Password::parse("").unwrap_err(), PasswordError::Empty);
    /// assert_eq!(Password::parse("a\0b").unwrap_err(), PasswordError::Nul);
    /// ```
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        if text.chars().count() > MAX_PASSWORD_CHARS {
            return Err(PasswordError::TooLong);
        }
        if text.contains('\0') {
            return Err(PasswordError::Nul);
        }
        // Room for the longest expansion that NFKC knows (18), so that no half of it is left behind by a reallocation.
        let mut normalised = Zeroizing::new(String::with_capacity(text.len() * 18));
        normalised.extend(text.nfkc());
        if normalised.chars().count() > MAX_PASSWORD_CHARS {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(normalised.as_str().to_owned()))
    }

    /// What is hashed where only the work counts.
    fn stand_in() -> Self {
        Self("stand-in".to_owned())
    }

    /// The normalised text, for a hasher.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(<redacted>)")
    }
}

/// Which rule a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// No characters.
    #[error("must not be empty")]
    Empty,
    /// More than [`MAX_PASSWORD_CHARS`] characters.
    #[error("must have at most {MAX_PASSWORD_CHARS} characters")]
    TooLong,
    /// A NUL character.
    #[error("must not contain a NUL character")]
    Nul,
    /// Fewer characters than the policy asks for.
    #[error("must have at least {min} characters")]
    TooShort {
        /// The fewest that are accepted.
        min: usize,
    },
    /// More bytes than the hash function can take; they are refused, never cut off.
    #[error("must have at most {max} bytes in UTF-8")]
    TooManyBytes {
        /// The most that are accepted.
        max: usize,
    },
    /// On the list of passwords that are guessed first.
    #[error("is among the most commonly used passwords")]
    Common,
    /// The user's own e-mail address, its part before the `@`, or username.
    #[error("must not be your e-mail address or username")]
    Personal,
    /// Published in a breach, as a [`BreachedPasswords`](policy::BreachedPasswords) service knows.
    #[error("was published in a data breach")]
    Breached,
}

/// A stored hash in its modular-crypt or PHC text form. Not shown by `Debug`: whoever has it can guess offline.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps the text of a stored hash.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for a store or a hasher.
    #[must_use]
    pub fn expose_hash(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(<redacted>)")
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

/// Hashes and verifies passwords. Both take long on purpose; call them on a [`PasswordPool`].
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

/// Random bytes from the operating system.
fn random<const N: usize>() -> Result<[u8; N], HashError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| HashError::Failed(error.into()))?;
    Ok(bytes)
}
