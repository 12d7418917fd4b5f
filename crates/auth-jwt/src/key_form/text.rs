//! Keys in textual form, and keys that text decodes to.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{KeyForm, contains, recognize};

/// Words that mark a key wherever they occur, also within bytes that are not text.
const MARKERS: [(&[u8], KeyForm); 26] = [
    (b"-----BEGIN", KeyForm::Pem),
    (b"---- BEGIN SSH2", KeyForm::Ssh),
    (b"BEGIN PUBLIC KEY", KeyForm::Pem),
    (b"BEGIN PRIVATE KEY", KeyForm::Pem),
    (b"BEGIN RSA ", KeyForm::Pem),
    (b"BEGIN EC ", KeyForm::Pem),
    (b"BEGIN CERTIFICATE", KeyForm::Pem),
    (b"BEGIN PGP ", KeyForm::Pgp),
    (b"BEGIN OPENSSH ", KeyForm::Ssh),
    (b"BEGIN AGE ", KeyForm::Tagged),
    (b"Bag Attributes", KeyForm::Pem),
    (b"PuTTY-User-Key-File", KeyForm::Ssh),
    (b"AGE-SECRET-KEY-", KeyForm::Tagged),
    (b"untrusted comment:", KeyForm::Tagged),
    (b"did:key:", KeyForm::Tagged),
    (b"SHA256:", KeyForm::Tagged),
    (b"\"kty", KeyForm::Json),
    (b"'kty", KeyForm::Json),
    (b"<?xml", KeyForm::Xml),
    (b"RSAKeyValue", KeyForm::Xml),
    (b"<Modulus", KeyForm::Xml),
    (b"Modulus=", KeyForm::Modulus),
    (b"Modulus:", KeyForm::Modulus),
    (b"Public-Key:", KeyForm::Pem),
    (b"Private-Key:", KeyForm::Pem),
    (b"v=DKIM1", KeyForm::Tagged),
];

/// Minimum length of a run of base64 or hexadecimal digits that is decoded.
const MIN_RUN: usize = 24;

/// Base64 with lenient rules: any padding, and stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Returns the form of the key whose marker occurs in `bytes`.
pub(super) fn marked(bytes: &[u8]) -> Option<KeyForm> {
    MARKERS.iter().find(|(marker, _)| contains(bytes, marker)).map(|(_, form)| *form)
}

/// Returns the form of the text that `bytes` are, or of what it decodes to. At most `layers` encodings are undone.
pub(super) fn form(bytes: &[u8], layers: usize) -> Option<KeyForm> {
    if let Some(narrow) = narrowed(bytes) {
        return recognize(&narrow, layers).or(Some(KeyForm::WideText));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        return recognize(rest.as_bytes(), layers).or(Some(KeyForm::ByteOrderMark));
    }
    None.or_else(|| is_json(text).then_some(KeyForm::Json))
        .or_else(|| has_tagged(text).then_some(KeyForm::Tagged))
        .or_else(|| of_base64(text, layers))
        .or_else(|| of_hex(text, layers))
        .or_else(|| has_lines_of_text(text).then_some(KeyForm::Lines))
}

/// Returns the ASCII text that `bytes` spell in UTF-16 or UTF-32 of either byte order.
fn narrowed(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit = |size: usize, big_endian: bool| {
        let (units, rest) = (bytes.chunks_exact(size), bytes.chunks_exact(size).remainder());
        if units.len() < 2 || !rest.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
            return None;
        }
        let mut text = Vec::with_capacity(units.len());
        for (at, unit) in units.enumerate() {
            let value = unit.iter().enumerate().fold(0_u32, |value, (index, byte)| {
                let place = if big_endian { size - 1 - index } else { index };
                value | u32::from(*byte) << (8 * place)
            });
            match u8::try_from(value) {
                Ok(byte) if byte.is_ascii_graphic() || byte.is_ascii_whitespace() => text.push(byte),
                _ if at == 0 && value == 0xfeff => {}
                _ => return None,
            }
        }
        Some(text)
    };
    unit(4, false).or_else(|| unit(4, true)).or_else(|| unit(2, false)).or_else(|| unit(2, true))
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Returns whether `text` contains a recipient of age (`age1…`) or a key of PASETO (`k4.public.…`).
fn has_tagged(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let age = |word: &str| word.starts_with("age1") && word.len() >= 58 && word.bytes().all(lower);
    let kinds = ["public.", "secret.", "local."];
    let paseto = |(at, _)| {
        let rest: &str = &text[at..];
        matches!(rest.as_bytes(), [b'k', b'1'..=b'9', b'.', ..]) && kinds.iter().any(|kind| rest[3..].starts_with(kind))
    };
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(age) || text.match_indices('k').any(paseto)
}

/// Returns the form of the bytes that the base64 or base64url in `text` decodes to. Text before it may end anywhere
/// within a group of four digits, so all four groupings are tried.
fn of_base64(text: &str, layers: usize) -> Option<KeyForm> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let runs = |others: [char; 2]| text.split(move |c: char| !(c.is_ascii_alphanumeric() || others.contains(&c)));
    runs(['+', '/']).chain(runs(['-', '_'])).filter(|run| run.len() >= MIN_RUN).find_map(|run| {
        let standard = run.replace('-', "+").replace('_', "/");
        (0..4).find_map(|skipped| {
            let digits = &standard[skipped..];
            // A single digit at the end encodes no byte.
            let whole = digits.len() - usize::from(digits.len() % 4 == 1);
            recognize(&LENIENT.decode(&digits[..whole]).ok()?, layers)
        })
    })
}

/// Returns the form of the bytes that the hexadecimal digits in `text` decode to, with or without separators.
fn of_hex(text: &str, layers: usize) -> Option<KeyForm> {
    let text = text.replace("0x", "").replace("\\x", "");
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace() && !matches!(c, ':' | ',' | '-')).collect();
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * MIN_RUN);
    runs.flat_map(|run| [run, &run[1..]]).find_map(|digits| {
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let byte = |pair: &[u8]| Some(value(pair[0])? << 4 | value(pair[1])?);
        let decoded: Option<Vec<u8>> = digits.as_bytes().chunks_exact(2).map(byte).collect();
        recognize(&decoded?, layers)
    })
}

/// Returns whether `text` has several lines that are not all of base64 digits, as `openssl rand -base64 64` writes
/// them.
fn has_lines_of_text(text: &str) -> bool {
    let lines = || text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=');
    lines().count() > 1 && !lines().all(|line| line.chars().all(digit))
}
