//! A letter, before it is put into words.

use time::OffsetDateTime;

use super::language::Language;
use crate::email::Email;
use crate::ids::{LetterId, UserId};
use crate::one_time::{OneTimeCode, OneTimeToken};
use crate::username::Username;

/// What a letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LetterKind {
    /// Asks to confirm the address of the account.
    VerifyEmail,
    /// Has the link that sets a new password.
    ResetPassword,
    /// Asks the new address to confirm that it becomes the address of the account.
    ChangeEmail,
    /// Tells the old address that the account has another address now, and how to undo that.
    EmailChanged,
    /// Tells that the password was changed.
    PasswordChanged,
    /// Tells the owner of an address that somebody wanted to use it for another account.
    EmailInUse,
}

impl LetterKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ChangeEmail,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::EmailInUse,
    ];

    /// Returns the word for the kind. It names templates, and stores keep it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::EmailInUse => "email_in_use",
        }
    }

    /// Returns the kind with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The secrets in a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterSecret {
    /// The one-time token, which goes into the link.
    pub token: OneTimeToken,
    /// The code beside the link, if the token has one.
    pub code: Option<OneTimeCode>,
    /// Time until which they can be used.
    pub expires_at: OffsetDateTime,
}

/// Data of a letter. A [`Mailer`](super::Mailer) puts it into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The id.
    pub id: LetterId,
    /// What the letter is about.
    pub kind: LetterKind,
    /// The user whose account it is about. For a decoy it is the id of nobody.
    pub user_id: UserId,
    /// The address. `None` makes the letter a *decoy*: it is written and removed like any other and never sent. A request for an
    /// unknown address writes one, so that it does the same work as a request for a known address.
    pub to: Option<Email>,
    /// The name of the account.
    pub username: Username,
    /// The secrets, if the letter has some.
    pub secret: Option<LetterSecret>,
    /// The language that the user seems to read.
    pub language: Language,
    /// Time at which the letter was written.
    pub created_at: OffsetDateTime,
}
