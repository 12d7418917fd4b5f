//! Public keys as a JSON Web Key Set.

use std::fmt;

use jsonwebtoken::jwk::Jwk;
use serde::Serialize;

/// Media type of a JSON Web Key Set (RFC 7517 §8.5.2).
pub const JWKS_MEDIA_TYPE: &str = "application/jwk-set+json";

/// JSON Web Key Set (RFC 7517 §5): the public keys with which others check tokens.
///
/// It never holds an HMAC secret. Whoever knew the secret could sign tokens.
///
/// ```
/// use auth_jwt::{JwtCodec, SigningKey};
///
/// let codec = JwtCodec::new(SigningKey::from_secret(&[7; 32])?, "https://auth.example", "api");
/// assert_eq!(codec.jwks().as_json(), r#"{"keys":[]}"#);
/// # Ok::<(), auth_jwt::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Jwks {
    json: String,
    entity_tag: String,
}

#[derive(Serialize)]
struct Document<'a> {
    keys: &'a [&'a Jwk],
}

impl Jwks {
    pub(super) fn of<'a>(keys: impl Iterator<Item = &'a Jwk>) -> Self {
        let keys: Vec<_> = keys.collect();
        let ids: Vec<_> = keys.iter().filter_map(|key| key.common.key_id.as_deref()).collect();
        // A `kid` is a part of the thumbprint of its key, so two sets with equal lists of them are equal.
        let entity_tag = format!("\"{}\"", ids.join("."));
        let json = serde_json::to_string(&Document { keys: &keys }).unwrap_or_default();
        Self { json, entity_tag }
    }

    /// Returns the document.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// Returns a strong entity tag for the document (RFC 9110 §8.8.3).
    #[must_use]
    pub fn entity_tag(&self) -> &str {
        &self.entity_tag
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwks({})", self.entity_tag)
    }
}
