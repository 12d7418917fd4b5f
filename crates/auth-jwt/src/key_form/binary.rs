//! Keys in binary form: DER, SSH's wire format, `OpenPGP` packets, and files known by their first bytes.

use super::{KeyForm, contains};

/// First bytes of compressed files: gzip, ZIP, Zstandard, XZ.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b\x08", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"];

/// First bytes of Java key stores: JKS and JCEKS.
const KEY_STORES: [&[u8]; 2] = [b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"];

/// Names of key types in SSH's wire format (RFC 4253 §6.6), and the magic of OpenSSH's private keys.
const SSH: [&[u8]; 7] =
    [b"ssh-rsa", b"ssh-dss", b"ssh-ed", b"ecdsa-sha2-", b"sk-ssh-ed", b"sk-ecdsa-", b"openssh-key-v1"];

/// Encoded object identifiers, or their beginnings, that occur in keys and certificates.
const OBJECT_IDENTIFIERS: [&[u8]; 11] = [
    // 1.2.840.113549.1: PKCS.
    b"\x2a\x86\x48\x86\xf7\x0d\x01",
    // 1.2.840.10045: elliptic curves of ANSI X9.62.
    b"\x2a\x86\x48\xce\x3d",
    // 1.2.840.10040.4: DSA.
    b"\x2a\x86\x48\xce\x38\x04",
    // 1.3.132.0: curves of SECG.
    b"\x06\x05\x2b\x81\x04\x00",
    // 1.3.101.110 to 113: X25519, X448, Ed25519, Ed448 (RFC 8410).
    b"\x06\x03\x2b\x65\x6e",
    b"\x06\x03\x2b\x65\x6f",
    b"\x06\x03\x2b\x65\x70",
    b"\x06\x03\x2b\x65\x71",
    // 1.3.36.3.3.2.8: Brainpool curves.
    b"\x2b\x24\x03\x03\x02\x08",
    // 2.16.840.1.101.3.4: algorithms of NIST.
    b"\x60\x86\x48\x01\x65\x03\x04",
    // 2.5.4: attributes of X.500 names.
    b"\x06\x03\x55\x04",
];

/// Lengths of an uncompressed point on P-256, P-384 and P-521.
const POINTS: [usize; 3] = [65, 97, 133];

/// Lengths of the modulus of an RSA key of 2048, 3072 and 4096 bits.
const MODULI: [usize; 3] = [256, 384, 512];

/// Minimum length of the content of a DER sequence that is taken for a key.
const MIN_CONTENT: usize = 24;

const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;

/// Returns the form of the binary key that `bytes` are or contain.
pub(super) fn form(bytes: &[u8]) -> Option<KeyForm> {
    let begins = |with: &[&[u8]]| with.iter().any(|magic| bytes.starts_with(magic));
    let has = |parts: &[&[u8]]| parts.iter().any(|part| contains(bytes, part));
    if begins(&COMPRESSED) {
        Some(KeyForm::Compressed)
    } else if begins(&KEY_STORES) {
        Some(KeyForm::KeyStore)
    } else if has(&SSH) {
        Some(KeyForm::Ssh)
    } else if has(&OBJECT_IDENTIFIERS) || (0..bytes.len()).any(|at| begins_with_der_key(&bytes[at..])) {
        Some(KeyForm::Der)
    } else if is_pgp_key(bytes) {
        Some(KeyForm::Pgp)
    } else if bytes.len() == 42 && bytes.starts_with(b"Ed") {
        // A public key of minisign or signify: "Ed", eight bytes of key id, the key.
        Some(KeyForm::Tagged)
    } else if POINTS.contains(&bytes.len()) && bytes.starts_with(&[4]) {
        Some(KeyForm::Point)
    } else if is_modulus(bytes) {
        Some(KeyForm::Modulus)
    } else {
        None
    }
}

/// Returns whether `bytes` begin with a DER sequence that has the structure of a key, whole or cut off.
fn begins_with_der_key(bytes: &[u8]) -> bool {
    let Some((SEQUENCE, length, content)) = header(bytes) else { return false };
    if length < MIN_CONTENT {
        return false;
    }
    match content.get(..length) {
        Some(content) if is_series_of_elements(content) => true,
        // A line of a longer text shows only the beginning of the key.
        _ => length > 127 && begins_with_first_member(content, length),
    }
}

/// Returns whether `content` is two or more elements, the first an integer or a sequence, and nothing else.
fn is_series_of_elements(content: &[u8]) -> bool {
    let (mut rest, mut members) = (content, 0);
    while !rest.is_empty() {
        let Some((tag, length, content)) = header(rest) else { return false };
        if length > content.len() || (members == 0 && !matches!(tag, INTEGER | SEQUENCE)) {
            return false;
        }
        rest = &content[length..];
        members += 1;
    }
    members > 1
}

/// Returns whether `content` begins with the first member of a key or of a certificate: a version, a modulus, or a
/// sequence that begins with an object identifier, a version or a serial number. The whole content has `length` bytes.
fn begins_with_first_member(content: &[u8], length: usize) -> bool {
    match header(content) {
        Some((INTEGER, 1, [0 | 1 | 3, ..])) => true,
        Some((INTEGER, inner, _)) => inner > 127 && inner < length,
        Some((SEQUENCE, inner, [OBJECT_IDENTIFIER | INTEGER | EXPLICIT_0, ..])) => inner < length,
        _ => false,
    }
}

/// Returns the tag and the length of the DER element at the beginning of `bytes`, and the bytes after its header (X.690
/// §8.1, §10.1).
fn header(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(&one, rest)| (usize::from(one), rest))?,
        0x82 => rest.split_first_chunk().map(|(&two, rest)| (usize::from(u16::from_be_bytes(two)), rest))?,
        _ => return None,
    };
    let shortest = match first {
        0x81 => length > 0x7f,
        0x82 => length > 0xff,
        _ => true,
    };
    shortest.then_some((tag, length, rest))
}

/// Returns whether `bytes` begin with an `OpenPGP` packet of a key, and end with it or continue with another packet
/// (RFC 9580 §4.2, §5.5.2).
fn is_pgp_key(bytes: &[u8]) -> bool {
    // Public key, public subkey, secret key: packets 6, 14 and 5, in the new and in the old format.
    let (length, body) = match bytes {
        [0xc5 | 0xc6 | 0xce, one @ 0..=191, body @ ..] | [0x94 | 0x98 | 0xb8, one, body @ ..] => {
            (usize::from(*one), body)
        }
        [0xc5 | 0xc6 | 0xce, high @ 192..=223, low, body @ ..] => {
            ((usize::from(*high) - 192) * 256 + usize::from(*low) + 192, body)
        }
        [0x95 | 0x99 | 0xb9, high, low, body @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), body),
        _ => return false,
    };
    if length < MIN_CONTENT || length > body.len() || body.get(length).is_some_and(|next| next & 0x80 == 0) {
        return false;
    }
    // Version, four bytes of time, in version 3 two of validity; then the algorithm and its first field.
    let (algorithm, field) = match body {
        [3, _, _, _, _, _, _, algorithm, high, low, ..] | [4..=6, _, _, _, _, algorithm, high, low, ..] => {
            (*algorithm, [*high, *low])
        }
        _ => return false,
    };
    match algorithm {
        // RSA, Elgamal and DSA: the bits of the first number.
        1..=3 | 16 | 17 => (512..=16_384).contains(&u16::from_be_bytes(field)),
        // Elliptic curves: the length of the curve's object identifier.
        18 | 19 | 22 => (3..=16).contains(&field[0]),
        25..=28 => body[0] == 6,
        _ => false,
    }
}

/// Returns whether `bytes` have the size, the highest bit and the lowest bit of an RSA modulus.
fn is_modulus(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80..=0xff, .., last] if MODULI.contains(&bytes.len()) && last % 2 == 1)
}
