//! Algorithms of key pairs.

use std::fmt;
use std::str::FromStr;

/// Algorithm of a key pair that signs tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// `EdDSA` with Ed25519.
    #[default]
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// Error for a text that names no algorithm of key pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm must be EdDSA, ES256 or RS256")]
pub struct KeyAlgorithmError;

impl KeyAlgorithm {
    /// All algorithms.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// Returns the name of the algorithm in the header of a token (RFC 7515 §4.1.1).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl FromStr for KeyAlgorithm {
    type Err = KeyAlgorithmError;

    fn from_str(name: &str) -> Result<Self, KeyAlgorithmError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(KeyAlgorithmError)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
