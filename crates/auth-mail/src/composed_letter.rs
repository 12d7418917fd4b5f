//! A letter in words, ready to be sent.

use std::fmt;

use auth_core::Email;
use auth_core::letters::{Language, LetterId};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, address};
use time::OffsetDateTime;

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
pub struct AddressRefused(#[source] address::AddressError);

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
        Ok(self.message()?.formatted())
    }

    pub(crate) fn message(&self) -> Result<Message, AddressRefused> {
        let from = Address::new(self.sender.local_part(), self.sender.domain()).map_err(AddressRefused)?;
        let to = recipient(&self.to)?;
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let parts = MultiPart::alternative()
            .boundary(format!("letter-{}", self.id))
            .singlepart(part(ContentType::TEXT_PLAIN, &self.text))
            .singlepart(part(ContentType::TEXT_HTML, &self.html));
        // Only the sender and the recipient are missing in other messages of this builder, and both are given.
        Message::builder()
            .date(self.written_at.into())
            .from(Mailbox::new(self.sender.name().map(ToOwned::to_owned), from))
            .to(Mailbox::new(None, to))
            .message_id(Some(self.message_id()))
            .subject(&self.subject)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(parts)
            .map_err(|_| AddressRefused(address::AddressError::InvalidInput))
    }
}

fn part(kind: ContentType, body: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(body.to_owned())
}

/// Returns the address with its domain in ASCII, so that only a local part in other characters needs SMTPUTF8 (RFC 6531).
fn recipient(email: &Email) -> Result<Address, AddressRefused> {
    let missing = || AddressRefused(address::AddressError::MissingParts);
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
