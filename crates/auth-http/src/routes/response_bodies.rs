//! The bodies of successes. They hold tokens, so none of them implements `Debug`.

use auth_core::{Principal, SignedIn, User};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Something was done.
#[derive(Serialize)]
pub(super) struct Done {
    status: &'static str,
    message: &'static str,
}

impl Done {
    pub(super) fn new(message: &'static str) -> Self {
        Self { status: "success", message }
    }
}

/// A fresh token.
#[derive(Serialize)]
pub(super) struct TokenGranted<'s> {
    status: &'static str,
    message: &'static str,
    #[serde(rename = "Authorization")]
    authorization: &'s str,
    token_type: &'static str,
    expires_in: u64,
    public_id: String,
}

impl<'s> TokenGranted<'s> {
    pub(super) fn new(message: &'static str, signed_in: &'s SignedIn) -> Self {
        Self {
            status: "success",
            message,
            authorization: signed_in.token.expose_token(),
            token_type: "Bearer",
            expires_in: signed_in.token.expires_in.as_secs(),
            public_id: signed_in.user.id.to_string(),
        }
    }
}

/// What a good token says.
#[derive(Serialize)]
pub(super) struct TokenClaims {
    user_id: String,
    token_id: String,
    admin: bool,
    #[serde(serialize_with = "rfc_3339")]
    issued_at: OffsetDateTime,
    #[serde(serialize_with = "rfc_3339")]
    expires_at: OffsetDateTime,
}

impl From<&Principal> for TokenClaims {
    fn from(principal: &Principal) -> Self {
        Self {
            user_id: principal.user_id().to_string(),
            token_id: principal.token_id().to_string(),
            admin: principal.is_admin(),
            issued_at: principal.issued_at(),
            expires_at: principal.expires_at(),
        }
    }
}

/// A user, as far as they may see themself.
#[derive(Serialize)]
pub(super) struct UserView<'u> {
    email: &'u str,
    username: &'u str,
    public_id: String,
    #[serde(serialize_with = "rfc_3339")]
    registered_on: OffsetDateTime,
    admin: bool,
}

impl<'u> From<&'u User> for UserView<'u> {
    fn from(user: &'u User) -> Self {
        Self {
            email: user.email.as_str(),
            username: user.username.as_str(),
            public_id: user.id.to_string(),
            registered_on: user.registered_on,
            admin: user.admin,
        }
    }
}

fn rfc_3339<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
}
