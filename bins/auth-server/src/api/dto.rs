//! What goes over the wire. A request type documents its body and is never filled: [`payload`](super::payload) reads
//! bodies, so that every wrong field is named at once. No type here is formatted by `Debug`.

use std::collections::BTreeMap;

use auth_core::{Principal, Session, User};
use poem_openapi::Object;
use poem_openapi::types::{Any, Email, Password};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::Code;
use super::word::{CodeWord, Fail, Success, TokenType};

/// A person who registers.
#[derive(Object)]
#[oai(example)]
pub struct RegisterRequest {
    /// The e-mail address. It is unique without regard to case.
    #[oai(validator(max_length = 254))]
    email: Email,
    /// The name. It is unique without regard to case. White space around it is dropped; inside, words are separated by single
    /// spaces. Invisible, unassigned and private-use characters are refused.
    #[oai(validator(min_length = 1, max_length = 50))]
    username: String,
    /// The password: at least as many characters as the server asks for, and no more bytes in UTF-8 than its hash
    /// function can take (72 for bcrypt). Where the server says so, none of the commonly used ones. Never the e-mail
    /// address or the username.
    password: Password,
    /// Accepted and ignored, whatever it is: the server makes the id.
    #[oai(skip_serializing_if_is_none)]
    public_id: Option<Any<Value>>,
}

impl poem_openapi::types::Example for RegisterRequest {
    fn example() -> Self {
        Self {
            email: Email(EXAMPLE_EMAIL.into()),
            username: EXAMPLE_NAME.into(),
            password: Password("correct horse battery staple".into()),
            public_id: None,
        }
    }
}

/// A person who logs in.
#[derive(Object)]
#[oai(example)]
pub struct LoginRequest {
    /// The e-mail address.
    email: Email,
    /// The password.
    password: Password,
}

impl poem_openapi::types::Example for LoginRequest {
    fn example() -> Self {
        Self { email: Email(EXAMPLE_EMAIL.into()), password: Password("correct horse battery staple".into()) }
    }
}

/// A user who changes their password.
#[derive(Object)]
#[oai(example)]
pub struct ChangePasswordRequest {
    /// The password that the user has.
    current_password: Password,
    /// The password that the user wants. The rules are those of a registration.
    new_password: Password,
}

impl poem_openapi::types::Example for ChangePasswordRequest {
    fn example() -> Self {
        Self {
            current_password: Password("correct horse battery staple".into()),
            new_password: Password("a staple for every horse".into()),
        }
    }
}

/// A fresh token.
#[derive(Object)]
#[oai(example)]
pub struct TokenGranted {
    /// Always `success`.
    status: Success,
    /// A sentence for people.
    message: String,
    /// The token itself, without the word `Bearer`.
    #[oai(rename = "Authorization")]
    authorization: String,
    /// Always `Bearer`: send the token as `Authorization: Bearer <token>`.
    token_type: TokenType,
    /// How many seconds the token is good.
    expires_in: u64,
    /// The id of the user.
    public_id: Uuid,
}

impl TokenGranted {
    pub(super) fn new(message: &str, session: &Session) -> Self {
        Self {
            status: Success::SUCCESS,
            message: message.into(),
            authorization: session.token.expose_token().into(),
            token_type: TokenType::BEARER,
            expires_in: session.expires_in.as_secs(),
            public_id: session.user.id.as_uuid(),
        }
    }
}

impl poem_openapi::types::Example for TokenGranted {
    fn example() -> Self {
        Self {
            status: Success::SUCCESS,
            message: "Successfully logged in.".into(),
            authorization: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLiJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl"
                .into(),
            token_type: TokenType::BEARER,
            expires_in: 86_400,
            public_id: EXAMPLE_ID,
        }
    }
}

/// Something was done.
#[derive(Object)]
#[oai(example)]
pub struct Done {
    /// Always `success`.
    status: Success,
    /// A sentence for people.
    message: String,
}

impl Done {
    pub(super) fn new(message: &str) -> Self {
        Self { status: Success::SUCCESS, message: message.into() }
    }
}

impl poem_openapi::types::Example for Done {
    fn example() -> Self {
        Self::new("Successfully logged out.")
    }
}

/// What a good token says.
#[derive(Object)]
#[oai(example)]
pub struct TokenClaims {
    /// Whose token it is.
    pub(super) user_id: Uuid,
    /// Which token it is (`jti`).
    pub(super) token_id: Uuid,
    /// Whether the user was an admin at login.
    pub(super) admin: bool,
    /// When it was issued.
    pub(super) issued_at: OffsetDateTime,
    /// When it expires.
    pub(super) expires_at: OffsetDateTime,
}

impl From<&Principal> for TokenClaims {
    fn from(principal: &Principal) -> Self {
        Self {
            user_id: principal.user_id().as_uuid(),
            token_id: principal.token_id().as_uuid(),
            admin: principal.is_admin(),
            issued_at: principal.issued_at(),
            expires_at: principal.expires_at(),
        }
    }
}

impl poem_openapi::types::Example for TokenClaims {
    fn example() -> Self {
        Self {
            user_id: EXAMPLE_ID,
            token_id: Uuid::from_u128(0x6f1c_0a3e_52d7_4b8e_9c1d_2e3f_4a5b_6c7d),
            admin: false,
            issued_at: EXAMPLE_TIME,
            expires_at: EXAMPLE_TIME + time::Duration::DAY,
        }
    }
}

/// A user, as far as anybody may see.
#[derive(Object)]
#[oai(example)]
pub struct UserView {
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

impl poem_openapi::types::Example for UserView {
    fn example() -> Self {
        Self {
            email: Email(EXAMPLE_EMAIL.into()),
            username: EXAMPLE_NAME.into(),
            public_id: EXAMPLE_ID,
            registered_on: EXAMPLE_TIME,
            admin: false,
        }
    }
}

/// A page of users, in order of registration.
#[derive(Object)]
pub struct UserPage {
    /// The users.
    data: Vec<UserView>,
    /// What to give as `after` for the next page; null on the last.
    #[oai(nullable)]
    next: Option<Uuid>,
}

impl UserPage {
    /// A page of at most `limit` of `users`, of which there is one more than `limit` if there is a next page.
    pub(super) fn new(mut users: Vec<User>, limit: usize) -> Self {
        let more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| more).map(|user| user.id.as_uuid());
        Self { data: users.into_iter().map(UserView::from).collect(), next }
    }
}

/// Why a request was refused: the body of every answer that is not a success.
#[derive(Object)]
pub struct ErrorBody {
    /// Always `fail`.
    pub(super) status: Fail,
    /// A sentence for people.
    pub(super) message: String,
    /// A stable word for programs.
    pub(super) code: CodeWord,
    /// With `validation_failed`: what is wrong with which field.
    #[oai(skip_serializing_if_is_none)]
    pub(super) errors: Option<BTreeMap<String, String>>,
}

impl ErrorBody {
    /// What a refusal with this code looks like, for the document.
    pub(super) fn example_of(code: Code) -> Self {
        let errors = (code == Code::ValidationFailed)
            .then(|| BTreeMap::from([("email".into(), "'email' is a required property".into())]));
        Self { status: Fail::FAIL, message: code.message().into(), code: code.into(), errors }
    }
}

// Somebody else than the README's tour registers, so that who has done that can still try the examples.
const EXAMPLE_EMAIL: &str = "grace@example.org";
const EXAMPLE_NAME: &str = "grace";
const EXAMPLE_ID: Uuid = Uuid::from_u128(0x0193_5a1e_8c00_7def_8123_4567_89ab_cdef);
const EXAMPLE_TIME: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::days(20_000));
