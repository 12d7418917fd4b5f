//! Randomness for salts.

use auth_core::{HashError, random_bytes};

/// Returns random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], HashError> {
    random_bytes().map_err(|error| HashError::Failed(error.into()))
}
