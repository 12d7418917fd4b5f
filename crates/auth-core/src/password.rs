//! Passwords, their hashes, and the traits that compute a hash from a password.

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

/// Maximum length of a password, in characters. A longer one is refused before any other check.
pub const MAX_PASSWORD_CHARS: usize = 256;

/// A password, normalised to NFKC (NIST SP 800-63B-4 §3.1.1.2), so that the same password typed on two keyboards gives
/// the same bytes.
///
/// It is erased from memory when dropped. `Debug` does not show it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Parses a password as a person typed it.
    ///
    /// # Errors
    ///
    /// When the password is empty, longer than [`MAX_PASSWORD_CHARS`] (before or after the normalisation), or contains
    /// a NUL character (which bcrypt would read as the end).
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
        // The longest expansion of NFKC is 18-fold. With this capacity no reallocation leaves a part of the password
        // behind.
        let mut normalised = Zeroizing::new(String::with_capacity(text.len() * 18));
        normalised.extend(text.nfkc());
        if normalised.chars().count() > MAX_PASSWORD_CHARS {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(normalised.as_str().to_owned()))
    }

    /// Returns a fixed password, to be hashed where only the work counts.
    #[must_use]
    pub fn dummy() -> Self {
        Self("dummy".to_owned())
    }

    /// Returns the normalised text, for a hasher.
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

/// Rule that a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The password has no characters.
    #[error("must not be empty")]
    Empty,
    /// The password has more than [`MAX_PASSWORD_CHARS`] characters.
    #[error("must have at most {MAX_PASSWORD_CHARS} characters")]
    TooLong,
    /// The password contains a NUL character.
    #[error("must not contain a NUL character")]
    Nul,
    /// The password has fewer characters than the policy requires.
    #[error("must have at least {min} characters")]
    TooShort {
        /// Minimum number of characters.
        min: usize,
    },
    /// The password has more bytes than the hash function can take. It is refused, never truncated.
    #[error("must have at most {max} bytes in UTF-8")]
    TooManyBytes {
        /// Maximum number of bytes.
        max: usize,
    },
    /// The password is on the list of the most commonly used passwords.
    #[error("is among the most commonly used passwords")]
    Common,
    /// The password is the user's own e-mail address, its part before the `@`, or username.
    #[error("must not be your e-mail address or username")]
    Personal,
    /// The password was published in a breach, according to a [`BreachedPasswords`](policy::BreachedPasswords) service.
    #[error("was published in a data breach")]
    Breached,
}

/// A stored hash in its modular-crypt or PHC text form. `Debug` does not show it, because its holder can guess offline.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps the text of a stored hash.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for a store or a hasher.
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
