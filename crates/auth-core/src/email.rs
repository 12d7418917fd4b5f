//! E-mail addresses, parsed once where they enter.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

/// Maximum length of an e-mail address, in bytes (RFC 5321 §4.5.3.1.3, less the two angle brackets).
pub const MAX_EMAIL_BYTES: usize = 254;

/// An e-mail address together with the key by which it is unique.
///
/// Invariants: the address is trimmed, at most [`MAX_EMAIL_BYTES`] long, syntactically valid (RFC 5322 §3.4.1 without
/// quoted local parts, comments and domain literals); the key is the address in lower case and NFKC with its domain
/// in IDNA ASCII form (UTS #46), and is at most [`MAX_EMAIL_BYTES`] long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email {
    address: String,
    key: String,
}

impl Email {
    /// Parses an e-mail address. Surrounding white space is dropped.
    ///
    /// # Errors
    ///
    /// When the text is too long or is not an e-mail address.
    ///
    /// # Examples
    ///
    /// ```
    /// use auth_core::Email;
    ///
    /// let email = Email::parse(" Ada@Bücher.example ")?;
    /// assert_eq!(email.as_str(), "Ada@Bücher.example");
    /// assert_eq!(email.key(), "ada@xn--bcher-kva.example");
    /// assert!(Email::parse("no at sign").is_err());
    /// assert!(Email::parse("two@signs@example.org").is_err());
    /// # Ok::<(), auth_core::EmailError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let address = text.trim();
        if address.is_empty() {
            return Err(EmailError::Empty);
        }
        if address.len() > MAX_EMAIL_BYTES {
            return Err(EmailError::TooLong);
        }
        let options = Options::default().without_display_text().without_domain_literal();
        // The syntax of a domain requires composed characters, and a keyboard may have sent `ü` as two.
        let composed: String = address.nfc().collect();
        let parsed = EmailAddress::parse_with_options(&composed, options).map_err(|_| EmailError::Syntax)?;
        let local = parsed.local_part();
        if local.starts_with('"')
            || address.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>'))
        {
            return Err(EmailError::Syntax);
        }
        let domain = idna::domain_to_ascii_strict(parsed.domain()).map_err(|_| EmailError::Domain)?;
        if domain.is_empty() {
            return Err(EmailError::Domain);
        }
        let local_key = folded(local);
        // Case folding may produce characters that were not there, such as an `@` from its full-width form.
        if !EmailAddress::is_valid_local_part(&local_key) {
            return Err(EmailError::Syntax);
        }
        let key = format!("{local_key}@{domain}");
        if key.len() > MAX_EMAIL_BYTES {
            return Err(EmailError::TooLong);
        }
        Ok(Self { address: address.to_owned(), key })
    }

    /// Returns the address as it was given, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// Returns the key by which addresses are compared. Two spellings of one mailbox have the same key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Returns the caseless form of an identifier (Unicode §3.13, D146 in essence), which ignores case and compatibility
/// variants.
pub(crate) fn folded(text: &str) -> String {
    let lower: String = text.nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().collect()
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({:?})", self.address)
    }
}

/// Reason that a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmailError {
    /// The text is empty or only white space.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than [`MAX_EMAIL_BYTES`].
    #[error("must have at most {MAX_EMAIL_BYTES} bytes")]
    TooLong,
    /// The text does not have the form `local@domain`.
    #[error("is not a valid e-mail address")]
    Syntax,
    /// The part after the `@` is not a domain name.
    #[error("does not end in a valid domain name")]
    Domain,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_mailbox_have_one_key() {
        for spelling in ["ada@example.org", "ADA@EXAMPLE.ORG", " Ada@Example.Org\n", "ａda@example.org"] {
            assert_eq!(Email::parse(spelling).unwrap().key(), "ada@example.org", "{spelling:?}");
        }
        assert_eq!(
            Email::parse("x@bücher.example").unwrap().key(),
            Email::parse("x@XN--BCHER-KVA.example").unwrap().key()
        );
        let decomposed = Email::parse("e\u{301}@bu\u{308}cher.example").unwrap();
        assert_eq!(decomposed.key(), Email::parse("é@bücher.example").unwrap().key());
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused() {
        for text in [
            "",
            "  ",
            "a",
            "@",
            "a@",
            "@b.c",
            "a b@c.d",
            "a@b@c",
            "\"a b\"@c.d",
            "a@[127.0.0.1]",
            "A <a@b.c>",
            "a\0@b.c",
            "a@b..c",
            "a@-b.c",
            "a@b_c.d",
            "a\r\nBcc: x@y.z",
            "a＠b@c.d",
            "¨@c.d",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?} was accepted");
        }
        let long = format!("{}@{}.example", "l".repeat(60), "d".repeat(63).as_str().repeat(4));
        assert_eq!(Email::parse(&long), Err(EmailError::TooLong));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_its_key_is_a_fixed_point(text in "\\PC{0,80}|[a-zA-Z.+üßİ]{1,20}@[a-zA-Zü.-]{1,20}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert!(email.key().len() <= MAX_EMAIL_BYTES);
                let again = Email::parse(email.key()).unwrap();
                prop_assert_eq!(again.key(), email.key());
                prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email);
            }
        }
    }
}
