//! Bodies that show users.

use auth_core::{Role, User};
use poem_openapi::Object;
use poem_openapi::types::{Email, Example};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::example;

/// A user, as far as they themself and admins may see.
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
    /// The roles of the user without `admin`, in alphabetical order.
    roles: Vec<String>,
    /// Whether the user has proved to read letters to the address.
    email_verified: bool,
    /// When the user logged in last; null if that was never recorded.
    #[oai(nullable)]
    last_login_at: Option<OffsetDateTime>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            email: Email(user.email.as_str().into()),
            username: user.username.as_str().into(),
            public_id: user.id.as_uuid(),
            registered_on: user.registered_on,
            admin: user.admin,
            roles: user.roles.iter().map(Role::to_string).collect(),
            email_verified: user.email_verified,
            last_login_at: user.last_login_at,
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
            roles: vec!["editor".to_owned()],
            email_verified: true,
            last_login_at: Some(example::TIME + time::Duration::DAY),
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
    /// Creates the only page of the users that a search found.
    pub(crate) fn found(user: Option<User>) -> Self {
        Self { data: user.into_iter().map(UserView::from).collect(), next: None }
    }

    /// Creates a page from `users`, which has one user more than `limit` if there is a next page.
    pub(crate) fn new(mut users: Vec<User>, limit: usize) -> Self {
        let more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| more).map(|user| user.id.as_uuid());
        Self { data: users.into_iter().map(UserView::from).collect(), next }
    }
}
