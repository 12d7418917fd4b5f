//! Public keys as a JSON Web Key Set.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::keys::{KeyError, MAX_JWKS_BYTES, VerifyingKey};

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
    is_empty: bool,
    entity_tag: String,
}

#[derive(Serialize)]
struct Document<'a> {
    keys: &'a [&'a Jwk],
}

#[derive(Deserialize)]
struct UnverifiedDocument<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl Jwks {
    pub(super) fn of<'a>(keys: impl Iterator<Item = &'a Jwk>) -> Self {
        let keys: Vec<_> = keys.collect();
        let json = serde_json::to_string(&Document { keys: &keys }).unwrap_or_default();
        let entity_tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, json.as_bytes())));
        Self { is_empty: keys.is_empty(), json, entity_tag }
    }

    /// Reads the keys of a set that another service published. A key that cannot be used is left out, as RFC 7517 §5 asks: one
    /// of an unknown kind, for another purpose, too small, or with a private part. Of two keys with one `kid`, only the first is
    /// returned.
    ///
    /// ```
    /// use auth_jwt::Jwks;
    ///
    /// let keys = Jwks::parse(r#"{"keys":[{"kty":"OKP","crv":"X25519","x":"AAAA"}]}"#)?;
    /// assert!(keys.is_empty());
    /// assert!(Jwks::parse("<html>").is_err());
    /// # Ok::<(), auth_jwt::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is longer than [`MAX_JWKS_BYTES`] or is no key set.
    pub fn parse(text: &str) -> Result<Vec<VerifyingKey>, KeyError> {
        if text.len() > MAX_JWKS_BYTES {
            return Err(KeyError::NotJwks);
        }
        let document: UnverifiedDocument<'_> = serde_json::from_str(text).map_err(|_| KeyError::NotJwks)?;
        let mut keys: Vec<VerifyingKey> = Vec::new();
        for key in document.keys.into_iter().filter_map(|key| VerifyingKey::from_jwk_json(key.get()).ok()) {
            if keys.iter().all(|known| known.id() != key.id()) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Returns whether there is no key in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_empty
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
