//! Which passwords are accepted when one is set. Logging in with an older, weaker password stays possible.

use super::{Password, PasswordError};

/// The rules for a new password: its length, and nothing about which characters it is made of
/// (NIST SP 800-63B-4 §3.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_chars: usize,
}

impl PasswordPolicy {
    /// A policy that asks for at least `min_chars` characters, counted as Unicode code points after normalisation.
    #[must_use]
    pub fn new(min_chars: usize) -> Self {
        Self { min_chars }
    }

    /// Checks a password against the policy and against `max_bytes`, what the hash function can take.
    ///
    /// # Errors
    ///
    /// Names the first rule that is broken.
    pub fn check(&self, password: &Password, max_bytes: usize) -> Result<(), PasswordError> {
        let text = password.expose_secret();
        if text.chars().count() < self.min_chars {
            return Err(PasswordError::TooShort { min: self.min_chars });
        }
        if text.len() > max_bytes {
            return Err(PasswordError::TooManyBytes { max: max_bytes });
        }
        Ok(())
    }
}

impl Default for PasswordPolicy {
    /// At least 15 characters: the length that needs no second check (NIST SP 800-63B-4 §3.1.1.2).
    fn default() -> Self {
        Self::new(15)
    }
}
