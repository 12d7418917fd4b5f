//! Bodies of the operations on users.

use auth_core::User;
use poem_openapi::Object;
use poem_openapi::types::{Email, Example, Password};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::auth::{SessionWay, WithWay};
use crate::api::example;
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

/// A user, as far as anybody may see.
#[derive(Object)]
#[oai(example)]
pub(crate) struct UserView {
    /// The e-mail address.
    email: Email,
    /// The name.
    username: String,
    /// The id.
    public_id: Uuid,
    /// When the user registered.
    registered_on: OffsetDateTime,
    /// Whether the user is an admin.
    admin: bool,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            email: Email(user.email.as_str().into()),
            username: user.username.as_str().into(),
            public_id: user.id.as_uuid(),
            registered_on: user.registered_on,
            admin: user.admin,
        }
    }
}

impl Example for UserView {
    fn example() -> Self {
        Self {
            email: Email(example::EMAIL.into()),
            username: example::NAME.into(),
            public_id: example::ID,
            registered_on: example::TIME,
            admin: false,
        }
    }
}

/// A page of users, in order of registration.
#[derive(Object)]
pub(crate) struct UserPage {
    /// The users.
    data: Vec<UserView>,
    /// What to give as `after` for the next page; null on the last.
    #[oai(nullable)]
    next: Option<Uuid>,
}

impl UserPage {
    /// Creates a page from `users`, which has one user more than `limit` if there is a next page.
    pub(crate) fn new(mut users: Vec<User>, limit: usize) -> Self {
        let more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| more).map(|user| user.id.as_uuid());
        Self { data: users.into_iter().map(UserView::from).collect(), next }
    }
}
