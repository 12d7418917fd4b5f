//! The sender of letters.

use std::fmt;
use std::str::FromStr;

use auth_core::{Email, EmailError};

/// Maximum length of the name before the address of a sender, in characters (Unicode scalar values).
pub const MAX_SENDER_NAME_CHARS: usize = 64;

/// Sender of letters: an address, and a name that may stand before it (`name-addr` of RFC 5322 §3.4).
///
/// Invariants: the address is in ASCII, its domain in the form of IDNA. The name is trimmed, at most
/// [`MAX_SENDER_NAME_CHARS`] long, and has no control characters, no angle brackets and no `@`, so that it cannot look like another
/// address, and no `=?`, which begins an encoded word (RFC 2047 §2).
///
/// ```
/// use auth_mail::Sender;
///
/// let sender = Sender::parse("Orchard <no-reply@bücher.example>")?;
/// assert_eq!((sender.name(), sender.address()), (Some("Orchard"), "no-reply@xn--bcher-kva.example"));
/// assert_eq!(sender.domain(), "xn--bcher-kva.example");
/// assert!(Sender::parse("ceo@example.org <no-reply@example.com>").is_err());
/// # Ok::<(), auth_mail::SenderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    name: Option<String>,
    address: String,
    local_length: usize,
}

/// Reason that a text is not a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SenderError {
    /// The text has neither the form `address` nor the form `Name <address>`.
    #[error("a sender has the form `name@example.org` or `Name <name@example.org>`")]
    Form,
    /// The address is no e-mail address.
    #[error("the address of the sender {0}")]
    Address(#[source] EmailError),
    /// The part of the address before the `@` is not in ASCII. Many servers refuse such a sender.
    #[error("the address of the sender must be in ASCII before the @")]
    LocalPart,
    /// The name is too long, or has a character that it must not have.
    #[error(
        "the name of the sender must have at most {MAX_SENDER_NAME_CHARS} characters, and no control character, angle bracket, @ or =?"
    )]
    Name,
}

impl Sender {
    /// Parses a sender: `name@example.org` or `Name <name@example.org>`. The name may stand between double quotes.
    ///
    /// # Errors
    ///
    /// When the text has another form, or the address or the name is not as they must be.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>') {
            Some(text) => text.rsplit_once('<').ok_or(SenderError::Form)?,
            None => ("", text),
        };
        let email = Email::parse(address).map_err(SenderError::Address)?;
        let (local, _) = email.as_str().rsplit_once('@').ok_or(SenderError::Form)?;
        let (_, domain) = email.key().rsplit_once('@').ok_or(SenderError::Form)?;
        if !local.is_ascii() {
            return Err(SenderError::LocalPart);
        }
        let sender = Self { name: parse_name(name)?, address: format!("{local}@{domain}"), local_length: local.len() };
        Ok(sender)
    }

    /// Returns the name, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the part of the address before the `@`.
    pub(crate) fn local_part(&self) -> &str {
        &self.address[..self.local_length]
    }

    /// Returns the domain of the address.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.address[self.local_length + 1..]
    }
}

fn parse_name(text: &str) -> Result<Option<String>, SenderError> {
    let name = text.trim();
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name).trim();
    let is_wrong = |c: char| c.is_control() || matches!(c, '<' | '>' | '@' | '＠' | '﹫' | '"' | '\\');
    if name.chars().count() > MAX_SENDER_NAME_CHARS || name.chars().any(is_wrong) || name.contains("=?") {
        return Err(SenderError::Name);
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

impl FromStr for Sender {
    type Err = SenderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name, address) in [
            ("a@example.org", None, "a@example.org"),
            (" <a@example.org> ", None, "a@example.org"),
            ("Ada, Inc. <a@example.org>", Some("Ada, Inc."), "a@example.org"),
            ("\"Ada, Inc.\" <a@example.org>", Some("Ada, Inc."), "a@example.org"),
            ("과수원 <No.Reply+x@Bücher.example>", Some("과수원"), "No.Reply+x@xn--bcher-kva.example"),
        ] {
            let sender = Sender::parse(text).unwrap();
            assert_eq!((sender.name(), sender.address()), (name, address), "{text}");
            assert_eq!(Sender::parse(&sender.to_string()).unwrap(), sender);
            assert_eq!(format!("{}@{}", sender.local_part(), sender.domain()), address);
        }
    }

    #[test]
    fn another_text_is_refused_with_its_reason() {
        let long = format!("{} <a@example.org>", "n".repeat(MAX_SENDER_NAME_CHARS + 1));
        for (text, error) in [
            ("", SenderError::Address(EmailError::Empty)),
            ("example.org", SenderError::Address(EmailError::Syntax)),
            ("a@example.org>", SenderError::Form),
            ("Ada <a@example.org", SenderError::Address(EmailError::Syntax)),
            ("Ada <a@b@example.org>", SenderError::Address(EmailError::Syntax)),
            ("ä@example.org", SenderError::LocalPart),
            ("b@example.com <a@example.org>", SenderError::Name),
            ("b＠example.com <a@example.org>", SenderError::Name),
            ("<b> <a@example.org>", SenderError::Name),
            ("=?utf-8?q?b=40example.com?= <a@example.org>", SenderError::Name),
            ("Ada\r\nBcc: b@example.org <a@example.org>", SenderError::Name),
            (&long, SenderError::Name),
        ] {
            assert_eq!(Sender::parse(text), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_a_sender_is_parsed_from_what_it_shows(text in "[ -~äß한\r\n]{0,20}(<[a-z@.ü]{0,20}>)?") {
            if let Ok(sender) = Sender::parse(&text) {
                prop_assert_eq!(Sender::parse(&sender.to_string()), Ok(sender));
            }
        }
    }
}
