//! Reader of the one key of a PEM file (RFC 7468).

use pem::Pem;

use super::KeyError;
use crate::KeyForm;

/// Labels of public keys: SPKI (RFC 5280 §4.1), PKCS#1 (RFC 8017 §A.1.1), and certificates, which contain a key.
const PUBLIC: [&str; 3] = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"];

/// Labels of private keys: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2), SEC 1 (RFC 5915).
const PRIVATE: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// Returns the public key in `file`.
pub(super) fn public_key(file: &[u8]) -> Result<Pem, KeyError> {
    let unsupported = KeyError::UnsupportedPem("public");
    let blocks = blocks(file, unsupported)?;
    if blocks.iter().any(is_private) {
        return Err(KeyError::PrivateKey);
    }
    one_of(blocks, &PUBLIC, unsupported)
}

/// Returns the private key in `file`.
pub(super) fn private_key(file: &[u8]) -> Result<Pem, KeyError> {
    let unsupported = KeyError::UnsupportedPem("private");
    let blocks = blocks(file, unsupported)?;
    if blocks.iter().any(|block| block.tag() == "OPENSSH PRIVATE KEY") {
        return Err(KeyError::NotPem(KeyForm::Ssh));
    }
    if blocks.iter().any(is_encrypted) {
        return Err(KeyError::Encrypted);
    }
    if !blocks.iter().any(is_private) && blocks.iter().any(|block| PUBLIC.contains(&block.tag())) {
        return Err(KeyError::PublicKey);
    }
    one_of(blocks, &PRIVATE, unsupported)
}

fn blocks(file: &[u8], unsupported: KeyError) -> Result<Vec<Pem>, KeyError> {
    match pem::parse_many(file) {
        Ok(blocks) if !blocks.is_empty() => Ok(blocks),
        _ => Err(match KeyForm::recognize(file) {
            Some(KeyForm::Pem | KeyForm::Lines) | None => unsupported,
            Some(form) => KeyError::NotPem(form),
        }),
    }
}

fn one_of(blocks: Vec<Pem>, labels: &[&str], unsupported: KeyError) -> Result<Pem, KeyError> {
    let mut keys = blocks.into_iter().filter(|block| labels.contains(&block.tag()));
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(KeyError::SeveralKeys),
        (None, _) => Err(unsupported),
    }
}

/// Returns the PEM text of `block` alone, without the text around it.
pub(super) fn text(block: &Pem) -> Vec<u8> {
    pem::encode(block).into_bytes()
}

fn is_private(block: &Pem) -> bool {
    block.tag().ends_with("PRIVATE KEY")
}

fn is_encrypted(block: &Pem) -> bool {
    block.tag() == "ENCRYPTED PRIVATE KEY"
        || block.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"))
}

/// Returns the PKCS#8 form of a P-256 key in SEC 1 form, which is its innermost part (RFC 5208 §5, RFC 5915 §1).
pub(super) fn pkcs8_of_p256(sec1: &[u8]) -> Vec<u8> {
    /// Version 0; then the algorithm: id-ecPublicKey and the curve prime256v1.
    const BEGINNING: &[u8] =
        b"\x02\x01\0\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const OCTET_STRING: u8 = 0x04;
    const SEQUENCE: u8 = 0x30;
    element(SEQUENCE, &[BEGINNING, &element(OCTET_STRING, sec1)].concat())
}

/// Returns a DER element (X.690 §8.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let header = match significant {
        [] => vec![tag, 0],
        [short @ 0..=0x7f] => vec![tag, *short],
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX)], long].concat(),
    };
    [header.as_slice(), content].concat()
}
