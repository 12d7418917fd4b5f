//! A letter in words, ready to be sent.

use std::fmt;

use auth_core::Email;
use auth_core::letters::{Language, LetterId};
use lettre::address::{Address, AddressError, Envelope};
use time::OffsetDateTime;

use crate::message::{date, display_name, part, subject};
use crate::sender::Sender;

/// A letter in words, ready to be sent. It has secrets in it; `Debug` shows none of them.
///
/// A program that sends by other ways than SMTP takes subject and parts from here, or the [whole message](Self::to_message).
#[derive(Clone, PartialEq, Eq)]
pub struct ComposedLetter {
    pub(crate) id: LetterId,
    pub(crate) name: &'static str,
    pub(crate) sender: Sender,
    pub(crate) to: Email,
    pub(crate) language: Language,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) link: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) written_at: OffsetDateTime,
}

/// The address of the recipient has a form that cannot stand in a message.
#[derive(Debug, thiserror::Error)]
#[error("the address of the recipient cannot stand in a message")]
pub struct AddressRefused(#[source] AddressError);

impl ComposedLetter {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> LetterId {
        self.id
    }

    /// Returns the word for the kind of the letter, or `test`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the sender.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Returns the address that the letter goes to.
    #[must_use]
    pub fn to(&self) -> &Email {
        &self.to
    }

    /// Returns the language that the letter is written in.
    #[must_use]
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// Returns the subject: one line without control characters.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the text part.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the HTML part.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Returns the link, if the letter has one.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }

    /// Returns the code in groups, if the letter has one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the `Message-ID`, with its angle brackets (RFC 5322 §3.6.4). It is the same in every attempt at the letter.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("<{}@{}>", self.id, self.sender.domain())
    }

    /// Returns the whole message (RFC 5322), which is the same in every attempt at the letter.
    ///
    /// # Errors
    ///
    /// When the address of the recipient cannot stand in a message.
    pub fn to_message(&self) -> Result<Vec<u8>, AddressRefused> {
        let address = self.sender.address();
        let from = self
            .sender
            .name()
            .map_or_else(|| address.to_owned(), |name| format!("{}\r\n <{address}>", display_name(name)));
        let boundary = format!("letter-{}", self.id);
        let headers = [
            ("Date", date(self.written_at)),
            ("From", from),
            ("To", recipient(&self.to)?.to_string()),
            ("Message-ID", self.message_id()),
            ("Subject", subject(&self.subject)),
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("MIME-Version", "1.0".to_owned()),
            ("Content-Type", format!("multipart/alternative;\r\n boundary=\"{boundary}\"")),
        ];
        let mut lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        for (kind, text) in [("text/plain", &self.text), ("text/html", &self.html)] {
            lines.push(format!("\r\n--{boundary}\r\n{}", part(kind, text)));
        }
        lines.push(format!("\r\n--{boundary}--\r\n"));
        Ok(lines.concat().into_bytes())
    }

    /// Returns sender and recipient, as SMTP needs them.
    pub(crate) fn envelope(&self) -> Result<Envelope, AddressRefused> {
        let from = Address::new(self.sender.local_part(), self.sender.domain()).map_err(AddressRefused)?;
        Envelope::new(Some(from), vec![recipient(&self.to)?]).map_err(|_| AddressRefused(AddressError::MissingParts))
    }
}

/// Returns the address with its domain in ASCII, so that only a local part in other characters needs SMTPUTF8 (RFC 6531).
fn recipient(email: &Email) -> Result<Address, AddressRefused> {
    let missing = || AddressRefused(AddressError::MissingParts);
    let (local, _) = email.as_str().rsplit_once('@').ok_or_else(missing)?;
    let (_, domain) = email.key().rsplit_once('@').ok_or_else(missing)?;
    Address::new(local, domain).map_err(AddressRefused)
}

impl fmt::Debug for ComposedLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComposedLetter")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("to", &self.to)
            .field("language", &self.language)
            .field("written_at", &self.written_at)
            .finish_non_exhaustive()
    }
}
