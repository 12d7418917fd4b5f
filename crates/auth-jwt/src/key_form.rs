//! Recognition of keys and other documents that must never serve as an HMAC secret.

mod binary;
mod text;

use std::fmt;

/// Form of a key, or of another document that is no random secret, as found by [`KeyForm::recognize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyForm {
    /// PEM text (RFC 7468), with or without text around it.
    Pem,
    /// DER: a key, a certificate or a container of them (SPKI, PKCS#1, PKCS#7, PKCS#8, PKCS#12, SEC1, X.509).
    Der,
    /// A JSON document, such as a JWK or a set of them (RFC 7517).
    Json,
    /// A key of SSH: OpenSSH, RFC 4716 or `PuTTY`.
    Ssh,
    /// A key of `OpenPGP` (RFC 9580).
    Pgp,
    /// A key of age, minisign, PASETO or a DID, or a fingerprint.
    Tagged,
    /// A point on an elliptic curve (SEC 1 §2.3.3).
    Point,
    /// The modulus of an RSA key.
    Modulus,
    /// An XML document, such as an `RSAKeyValue`.
    Xml,
    /// A Java key store.
    KeyStore,
    /// A compressed file.
    Compressed,
    /// UTF-16 or UTF-32 text.
    WideText,
    /// Text that begins with a byte order mark.
    ByteOrderMark,
    /// Several lines of text that are not one base64 block.
    Lines,
}

/// Maximum number of encodings that are undone. Base64 of the hexadecimal digits of a PEM file is three.
const MAX_LAYERS: usize = 5;

impl KeyForm {
    /// Returns the form of the key that `bytes` are, contain or decode to (base64, base64url, hexadecimal digits), or
    /// `None` for bytes without a known structure.
    ///
    /// The result errs on the side of recognition. About one random secret in a hundred thousand is taken for a key,
    /// and one of exactly 65, 97, 133, 256, 384 or 512 bytes more often. Bytes without any structure cannot be
    /// recognized: a bare 32-byte Ed25519 or X25519 public key looks like a random secret.
    #[must_use]
    pub fn recognize(bytes: &[u8]) -> Option<Self> {
        recognize(bytes, MAX_LAYERS)
    }

    /// Returns advice for a file of this form where a PEM key is expected.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Der => "; convert it with: openssl pkey -inform DER -in FILE -out FILE.pem (-pubin for a public key)",
            Self::Ssh => "; convert it with: ssh-keygen -e -m PKCS8 -f FILE (-p for a private key)",
            Self::WideText | Self::ByteOrderMark => "; save it as UTF-8 without a byte order mark",
            _ => "",
        }
    }
}

impl fmt::Display for KeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pem => "a PEM file",
            Self::Der => "DER, a binary key or certificate",
            Self::Json => "a JSON document, such as a JWK",
            Self::Ssh => "an SSH key",
            Self::Pgp => "an OpenPGP key",
            Self::Tagged => "a key or fingerprint of another tool",
            Self::Point => "a point on an elliptic curve",
            Self::Modulus => "the modulus of an RSA key",
            Self::Xml => "an XML document",
            Self::KeyStore => "a key store",
            Self::Compressed => "a compressed file",
            Self::WideText => "UTF-16 or UTF-32 text",
            Self::ByteOrderMark => "text with a byte order mark",
            Self::Lines => "text of several lines",
        })
    }
}

fn recognize(bytes: &[u8], layers: usize) -> Option<KeyForm> {
    if layers == 0 || bytes.is_empty() {
        return None;
    }
    let trimmed = bytes.trim_ascii();
    text::marked(bytes)
        .or_else(|| binary::form(bytes))
        // Binary forms are recognized by their first bytes and their size, which white space around them changes.
        .or_else(|| binary::form(trimmed).filter(|_| trimmed.len() < bytes.len()))
        .or_else(|| text::form(bytes, layers - 1))
}

/// Returns whether `part` occurs in `bytes`.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
