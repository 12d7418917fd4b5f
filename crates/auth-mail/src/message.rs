//! Messages as they go over the wire (RFC 5322, RFC 2045 to 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::{OffsetDateTime, UtcOffset};

/// Bytes of text in an encoded word. A line with a name of a header and one such word has at most 76 characters (RFC 2047 §2).
const ENCODED_WORD_BYTES: usize = 39;

/// Characters in a line of base64 (RFC 2045 §6.8).
const BASE64_LINE: usize = 76;

/// Maximum length of a line, without its end (RFC 5322 §2.1.1).
const MAX_LINE: usize = 998;

/// Length up to which a subject stays in one line, with the name of the header (RFC 5322 §2.1.1).
const GOOD_LINE: usize = 78;

/// Returns the value of the header `Date` (RFC 5322 §3.3).
pub(crate) fn date(at: OffsetDateTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = at.to_offset(UtcOffset::UTC);
    let day = DAYS[usize::from(at.weekday().number_days_from_monday())];
    let month = MONTHS[usize::from(u8::from(at.month()) - 1)];
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{day}, {} {month} {:04} {hour:02}:{minute:02}:{second:02} +0000", at.day(), at.year())
}

/// Returns the value of the header `Subject`. What is not printable ASCII, is long, or looks encoded, is encoded.
pub(crate) fn subject(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !text.contains("=?");
    if is_plain && "Subject: ".len() + text.len() <= GOOD_LINE { text.to_owned() } else { encoded_words(text) }
}

/// Returns a name before an address (`display-name`, RFC 5322 §3.4). A name of other characters than letters, digits and spaces is encoded.
pub(crate) fn display_name(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
    if is_plain { name.to_owned() } else { encoded_words(name) }
}

/// Returns the text as encoded words, one a line (RFC 2047).
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(ENCODED_WORD_BYTES));
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words.join("\r\n ")
}

/// Returns a part of a message of several parts: header, an empty line, and the text. ASCII stays as it is, other text becomes base64.
pub(crate) fn part(kind: &str, text: &str) -> String {
    let text = text.lines().collect::<Vec<_>>().join("\r\n");
    let is_plain = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    let stays = text.split("\r\n").all(|line| line.len() <= MAX_LINE && line.bytes().all(is_plain));
    let (encoding, body) = if stays { ("7bit", text) } else { ("base64", base64_lines(&text)) };
    format!("Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n")
}

fn base64_lines(text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / BASE64_LINE * 2);
    for (at, character) in encoded.chars().enumerate() {
        if at > 0 && at % BASE64_LINE == 0 {
            lines.push_str("\r\n");
        }
        lines.push(character);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_in_utc() {
        let at = |seconds| date(OffsetDateTime::from_unix_timestamp(seconds).unwrap());
        assert_eq!(at(1_795_780_800), "Fri, 27 Nov 2026 12:00:00 +0000");
        assert_eq!(at(784_887_151), "Tue, 15 Nov 1994 08:12:31 +0000");
    }

    #[test]
    fn text_that_a_header_cannot_have_is_encoded() {
        assert_eq!(subject("Reset: your (password)"), "Reset: your (password)");
        assert_eq!(subject("한국어"), "=?utf-8?B?7ZWc6rWt7Ja0?=");
        assert_eq!(subject("=?x"), "=?utf-8?B?PT94?=");
        assert_eq!(subject("a\r\nBcc: b"), "=?utf-8?B?YQ0KQmNjOiBi?=");
        assert_eq!(display_name("Ada Inc"), "Ada Inc");
        assert_eq!(display_name("Ada, Inc."), "=?utf-8?B?QWRhLCBJbmMu?=");
        let long = subject(&"한국어 ".repeat(40));
        assert!(long.split("\r\n ").count() > 5 && long.split("\r\n").all(|line| line.len() <= 67), "{long}");
    }

    #[test]
    fn a_part_has_lines_that_every_server_takes() {
        let head = |encoding: &str| {
            format!("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n")
        };
        assert_eq!(part("text/plain", "a\nb\r\n\nc\n"), head("7bit") + "a\r\nb\r\n\r\nc\r\n");
        for text in ["ä", "a\rb", "a\0", &"a".repeat(MAX_LINE + 1)] {
            let part = part("text/plain", text);
            assert!(part.starts_with(&head("base64")) && part.lines().all(|line| line.len() <= BASE64_LINE), "{part}");
        }
    }
}
