//! Makes tokens that no server of ours would make.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A token taken apart, to be put together differently.
#[derive(Debug, Clone)]
pub struct Forge {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

impl Forge {
    /// Takes a genuine token apart.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        let part = |index| {
            let text = token.split('.').nth(index).expect("a token has three parts");
            let bytes = BASE64.decode(text).expect("a part is base64");
            serde_json::from_slice(&bytes).expect("a part is JSON")
        };
        Self { header: part(0), claims: part(1) }
    }

    /// Sets or removes a member of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// Sets a claim; `null` removes it.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Signs it with HMAC-SHA-256, whatever its header says.
    #[must_use]
    pub fn sign(&self, secret: &[u8]) -> String {
        self.sign_with(Algorithm::HS256, secret)
    }

    /// Signs it with this HMAC, whatever its header says.
    #[must_use]
    pub fn sign_with(&self, algorithm: Algorithm, secret: &[u8]) -> String {
        let message = self.unsigned();
        let key = EncodingKey::from_secret(secret);
        let signature = crypto::sign(message.as_bytes(), &key, algorithm).expect("an HMAC key signs");
        format!("{message}.{signature}")
    }

    /// Header and claims without a signature.
    #[must_use]
    pub fn unsigned(&self) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name)
    } else {
        members.insert(name.to_owned(), value)
    };
}

/// Every other text that a lenient decoder reads as the same token: in each part the last character with other unused
/// bits, padding behind it, and the other base64 alphabet.
#[must_use]
pub fn respellings(token: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let mut found = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let mut spellings = last_character_respelt(part);
        spellings.extend(["=", "==", "==="].map(|padding| format!("{part}{padding}")));
        spellings.push(part.replace('-', "+").replace('_', "/"));
        for spelling in spellings.iter().filter(|spelling| spelling != part) {
            let mut parts = parts.clone();
            parts[index] = spelling;
            found.push(parts.join("."));
        }
    }
    found
}

/// Without padding, a last group of two characters has 4 unused bits and one of three characters has 2.
fn last_character_respelt(part: &str) -> Vec<String> {
    let unused_bits = match part.len() % 4 {
        2 => 4,
        3 => 2,
        _ => return Vec::new(),
    };
    let (rest, last) = part.split_at(part.len() - 1);
    let value = ALPHABET.iter().position(|&letter| letter == last.as_bytes()[0]).expect("base64url");
    let same_bits = |other: &usize| *other != value && other >> unused_bits == value >> unused_bits;
    (0..ALPHABET.len()).filter(same_bits).map(|other| format!("{rest}{}", char::from(ALPHABET[other]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_of_32_bytes_has_three_other_spellings() {
        let signature = BASE64.encode([7; 32]);
        let others = last_character_respelt(&signature);
        assert_eq!(others.len(), 3);
        let lenient = base64::engine::GeneralPurpose::new(
            &base64::alphabet::URL_SAFE,
            base64::engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true),
        );
        for other in others {
            assert_ne!(other, signature);
            assert_eq!(lenient.decode(other).unwrap(), [7; 32]);
        }
    }
}
