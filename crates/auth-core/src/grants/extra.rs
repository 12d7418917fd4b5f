//! Claims that an application adds to the tokens of its users.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::BoxError;

/// Maximum length of the claims that an application adds to a token, as JSON, in bytes.
pub const MAX_EXTRA_CLAIMS_BYTES: usize = 1024;

/// Claims of the application in a token: a JSON object. A token carries it as its claim `ext`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraClaims(Box<str>);

/// Reason that a value cannot be the extra claims of a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtraClaimsError {
    /// The value is not written as a JSON object.
    #[error("extra claims must be a JSON object")]
    NotAnObject,
    /// The value is too long.
    #[error("extra claims must have at most {MAX_EXTRA_CLAIMS_BYTES} bytes as JSON")]
    TooLong,
    /// The value cannot be written as JSON, or not be read as the type that was asked for.
    #[error("extra claims cannot be converted")]
    Conversion(#[source] BoxError),
}

impl ExtraClaims {
    /// Writes `claims`, which must be a struct or a map.
    ///
    /// # Errors
    ///
    /// When the value is not written as a JSON object, or is longer than [`MAX_EXTRA_CLAIMS_BYTES`].
    pub fn new(claims: &impl Serialize) -> Result<Self, ExtraClaimsError> {
        Self::from_json(serde_json::to_string(claims).map_err(of_json)?)
    }

    /// Returns the claims whose JSON is `json`, which a token carried.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_json(json: impl Into<Box<str>>) -> Result<Self, ExtraClaimsError> {
        let json = json.into();
        if json.len() > MAX_EXTRA_CLAIMS_BYTES {
            return Err(ExtraClaimsError::TooLong);
        }
        if !serde_json::from_str::<serde_json::Value>(&json).map_err(of_json)?.is_object() {
            return Err(ExtraClaimsError::NotAnObject);
        }
        Ok(Self(json))
    }

    /// Reads the claims as a value of the application.
    ///
    /// # Errors
    ///
    /// When the claims do not have the shape of `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ExtraClaimsError> {
        serde_json::from_str(&self.0).map_err(of_json)
    }

    /// Returns the claims as JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

fn of_json(error: serde_json::Error) -> ExtraClaimsError {
    ExtraClaimsError::Conversion(error.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn claims_are_an_object_of_limited_length() {
        let map = BTreeMap::from([("plan", "gold")]);
        let claims = ExtraClaims::new(&map).unwrap();
        assert_eq!(claims.as_json(), r#"{"plan":"gold"}"#);
        assert_eq!(claims.read::<BTreeMap<String, String>>().unwrap()["plan"], "gold");
        assert!(claims.read::<BTreeMap<String, u32>>().is_err());
        assert!(matches!(ExtraClaims::new(&"gold"), Err(ExtraClaimsError::NotAnObject)));
        assert!(matches!(ExtraClaims::from_json("{"), Err(ExtraClaimsError::Conversion(_))));
        let long = BTreeMap::from([("plan", "x".repeat(MAX_EXTRA_CLAIMS_BYTES))]);
        assert!(matches!(ExtraClaims::new(&long), Err(ExtraClaimsError::TooLong)));
    }
}
