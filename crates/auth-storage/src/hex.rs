//! Digests as hexadecimal digits, the form in which the tables have them.

use std::fmt::Write as _;

/// Number of bytes of a digest.
const BYTES: usize = 32;

/// Returns the lower-case digits of a digest.
pub(crate) fn to_hex(digest: [u8; BYTES]) -> String {
    digest.iter().fold(String::with_capacity(2 * BYTES), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the digest with these digits, which must be of lower case.
pub(crate) fn from_hex(text: &str) -> Option<[u8; BYTES]> {
    let mut digest = [0; BYTES];
    if text.len() != 2 * BYTES || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}
