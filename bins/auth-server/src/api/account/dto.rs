//! Bodies of the operations of users on their own account.

use auth_core::letters::QueuedLetter;
use auth_core::{Export, ExportedToken, Username};
use auth_http::{CurrentPassword, EmailChange};
use poem_openapi::Object;
use poem_openapi::types::{Email, Example, Password};
use time::OffsetDateTime;

use crate::api::auth::{SessionWay, WithWay};
use crate::api::example;
use crate::api::personal_tokens::PersonalTokenView;
use crate::api::sessions::SessionView;
use crate::api::users::UserView;
use crate::http::request_body::RequestObject;

/// A user who changes their password.
#[derive(Object)]
#[oai(example)]
pub(crate) struct ChangePasswordRequest {
    /// The password that the user has.
    current_password: Password,
    /// The password that the user wants. The rules are those of a registration.
    new_password: Password,
    #[oai(skip_serializing_if_is_none)]
    session: Option<SessionWay>,
}

impl Example for ChangePasswordRequest {
    fn example() -> Self {
        Self {
            current_password: Password("correct horse battery staple".into()),
            new_password: Password("a staple for every horse".into()),
            session: None,
        }
    }
}

/// The current password of a user and the new one, and the way to keep the login that the change answers with.
pub(crate) type PasswordChange = WithWay<auth_http::PasswordChange>;

impl RequestObject for PasswordChange {
    type Document = ChangePasswordRequest;
}

/// A user who takes another name.
#[derive(Object)]
#[oai(example)]
pub(crate) struct RenameRequest {
    /// The new name. The rules are those of a registration.
    #[oai(validator(min_length = 1, max_length = 50))]
    username: String,
}

impl Example for RenameRequest {
    fn example() -> Self {
        Self { username: "grace.hopper".into() }
    }
}

impl RequestObject for Username {
    type Document = RenameRequest;
}

/// A user who wants another e-mail address.
#[derive(Object)]
#[oai(example)]
pub(crate) struct ChangeEmailRequest {
    /// The address that the user wants.
    #[oai(validator(max_length = 254))]
    email: Email,
    /// The password that the user has.
    current_password: Password,
}

impl Example for ChangeEmailRequest {
    fn example() -> Self {
        Self {
            email: Email("grace.hopper@example.org".into()),
            current_password: Password("correct horse battery staple".into()),
        }
    }
}

impl RequestObject for EmailChange {
    type Document = ChangeEmailRequest;
}

/// A user who deletes their account.
#[derive(Object)]
#[oai(example)]
pub(crate) struct DeleteAccountRequest {
    /// The password that the user has.
    current_password: Password,
}

impl Example for DeleteAccountRequest {
    fn example() -> Self {
        Self { current_password: Password("correct horse battery staple".into()) }
    }
}

impl RequestObject for CurrentPassword {
    type Document = DeleteAccountRequest;
}

/// Everything that is stored about a user, without secrets and their hashes.
#[derive(Object)]
pub(crate) struct ExportView {
    /// The user.
    user: UserView,
    /// The sessions that can be used.
    sessions: Vec<SessionView>,
    /// The personal access tokens that can be used.
    personal_tokens: Vec<PersonalTokenView>,
    /// The links in letters that can be used.
    one_time_tokens: Vec<OneTimeTokenView>,
    /// The letters that wait to be sent.
    letters: Vec<LetterView>,
}

impl From<Export> for ExportView {
    fn from(export: Export) -> Self {
        let session = |session| SessionView::new(session, None);
        Self {
            user: export.user.into(),
            sessions: export.sessions.into_iter().map(session).collect(),
            personal_tokens: export.personal_tokens.into_iter().map(PersonalTokenView::from).collect(),
            one_time_tokens: export.one_time_tokens.into_iter().map(OneTimeTokenView::from).collect(),
            letters: export.letters.into_iter().map(LetterView::from).collect(),
        }
    }
}

/// A link in a letter that can be used.
#[derive(Object)]
#[oai(example)]
struct OneTimeTokenView {
    /// What it permits: `verify_email`, `reset_password`, `change_email` or `undo_email_change`.
    purpose: String,
    /// The address that it was sent to; null if it was sent to none.
    #[oai(nullable)]
    sent_to: Option<Email>,
    /// When it was made.
    created_at: OffsetDateTime,
    /// When it expires.
    expires_at: OffsetDateTime,
}

impl From<ExportedToken> for OneTimeTokenView {
    fn from(token: ExportedToken) -> Self {
        Self {
            purpose: token.purpose.as_str().into(),
            sent_to: token.sent_to.map(|email| Email(email.as_str().into())),
            created_at: token.created_at,
            expires_at: token.expires_at,
        }
    }
}

impl Example for OneTimeTokenView {
    fn example() -> Self {
        Self {
            purpose: "verify_email".into(),
            sent_to: Some(Email(example::EMAIL.into())),
            created_at: example::TIME,
            expires_at: example::TIME + time::Duration::DAY,
        }
    }
}

/// A letter that waits to be sent.
#[derive(Object)]
#[oai(example)]
struct LetterView {
    /// What it is about, for example `verify_email`.
    kind: String,
    /// The address; null if it is sent to none.
    #[oai(nullable)]
    to: Option<Email>,
    /// When it was written.
    created_at: OffsetDateTime,
}

impl From<QueuedLetter> for LetterView {
    fn from(letter: QueuedLetter) -> Self {
        Self {
            kind: letter.kind.as_str().into(),
            to: letter.to.map(|email| Email(email.as_str().into())),
            created_at: letter.created_at,
        }
    }
}

impl Example for LetterView {
    fn example() -> Self {
        Self { kind: "verify_email".into(), to: Some(Email(example::EMAIL.into())), created_at: example::TIME }
    }
}
