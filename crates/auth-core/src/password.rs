//! Passwords: the secret, its hash, and the trait of what makes one from the other.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

mod batch;
mod common_passwords;
mod hasher;
mod hashing;
mod outcome;
pub mod policy;

pub use self::batch::{Batch, BatchKey, BatchResults, Pause};
pub use self::hasher::PasswordHasher;
pub use self::hashing::{AsyncPasswordHasher, HashingError};
pub use self::outcome::{HashError, Verdict};
pub use self::policy::PasswordPolicy;

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

    /// A fixed password, to be hashed where only the work counts.
    #[must_use]
    pub fn dummy() -> Self {
        Self("dummy".to_owned())
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
