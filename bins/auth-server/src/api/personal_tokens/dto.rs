//! Bodies of the operations on personal access tokens.

use auth_core::PersonalToken;
use auth_core::personal::{IssuedPersonalToken, NewPersonalToken};
use poem_openapi::Object;
use poem_openapi::types::Example;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::example;
use crate::http::request_body::RequestObject;

/// A personal access token to be made.
#[derive(Object)]
#[oai(example)]
pub(crate) struct CreatePersonalTokenRequest {
    /// A name for people.
    #[oai(validator(min_length = 1, max_length = 64))]
    name: String,
    /// Scopes and roles that the user has. Without it the token gets every scope of the user and no role.
    #[oai(skip_serializing_if_is_none, validator(max_items = 32))]
    scopes: Option<Vec<String>>,
    /// The life of the token in seconds. Without it the token lives for 30 days.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1"), maximum(value = "31622400")))]
    expires_in: Option<u64>,
}

impl Example for CreatePersonalTokenRequest {
    fn example() -> Self {
        Self { name: NAME.into(), scopes: None, expires_in: Some(86_400) }
    }
}

impl RequestObject for NewPersonalToken {
    type Document = CreatePersonalTokenRequest;
}

/// A personal access token, without the token itself.
#[derive(Object)]
#[oai(example)]
pub(crate) struct PersonalTokenView {
    /// The id, which is not the token.
    id: Uuid,
    /// The name that the user gave it.
    name: String,
    /// The scopes and roles that the user gave it. It allows those of them that the user still has.
    scopes: Vec<String>,
    /// When it was made.
    created_at: OffsetDateTime,
    /// When it expires.
    expires_at: OffsetDateTime,
    /// When it was used last, to a quarter of an hour; null if it was never used.
    #[oai(nullable)]
    last_used_at: Option<OffsetDateTime>,
}

impl From<PersonalToken> for PersonalTokenView {
    fn from(token: PersonalToken) -> Self {
        Self {
            id: token.id.as_uuid(),
            name: token.name.to_string(),
            scopes: names(&token),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

impl Example for PersonalTokenView {
    fn example() -> Self {
        Self {
            id: ID,
            name: NAME.into(),
            scopes: Vec::new(),
            created_at: example::TIME,
            expires_at: example::TIME + time::Duration::DAY,
            last_used_at: None,
        }
    }
}

/// A personal access token that was just made.
#[derive(Object)]
#[oai(example)]
pub(crate) struct CreatedPersonalToken {
    /// The token. It is shown this once.
    token: String,
    /// The id, which is not the token.
    id: Uuid,
    /// The name that the user gave it.
    name: String,
    /// The scopes and roles that it allows.
    scopes: Vec<String>,
    /// When it was made.
    created_at: OffsetDateTime,
    /// When it expires.
    expires_at: OffsetDateTime,
}

impl From<IssuedPersonalToken> for CreatedPersonalToken {
    fn from(issued: IssuedPersonalToken) -> Self {
        let token = issued.token;
        Self {
            token: issued.secret.expose_text(str::to_owned),
            id: token.id.as_uuid(),
            name: token.name.to_string(),
            scopes: names(&token),
            created_at: token.created_at,
            expires_at: token.expires_at,
        }
    }
}

impl Example for CreatedPersonalToken {
    fn example() -> Self {
        Self {
            token: example::PERSONAL_TOKEN.into(),
            id: ID,
            name: NAME.into(),
            scopes: Vec::new(),
            created_at: example::TIME,
            expires_at: example::TIME + time::Duration::DAY,
        }
    }
}

/// The personal access tokens of a user that can be used.
#[derive(Object)]
pub(crate) struct PersonalTokenList {
    /// The tokens, the one that was made last first.
    data: Vec<PersonalTokenView>,
}

impl From<Vec<PersonalToken>> for PersonalTokenList {
    fn from(tokens: Vec<PersonalToken>) -> Self {
        Self { data: tokens.into_iter().map(PersonalTokenView::from).collect() }
    }
}

/// Name and id of the token in the examples.
const NAME: &str = "nightly backup";
const ID: Uuid = Uuid::from_u128(0x6c1f_53d2_8ab4_4f0e_9b7a_0d2e_4c68_91f3);

fn names(token: &PersonalToken) -> Vec<String> {
    token.names().into_iter().map(str::to_owned).collect()
}
