//! The bodies of successes. They hold tokens, so none of them implements `Debug`.

use auth_core::{Principal, Role, Roles, Scopes, Session, SessionId, SignedIn, User};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

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
    #[serde(flatten)]
    refresh: Option<RefreshGranted>,
}

/// A refresh token.
#[derive(Serialize)]
struct RefreshGranted {
    #[serde(serialize_with = "text")]
    refresh_token: Zeroizing<String>,
    refresh_expires_in: u64,
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
            refresh: signed_in.refresh.as_ref().map(|refresh| RefreshGranted {
                refresh_token: refresh.token.expose_text(|text| Zeroizing::new(text.to_owned())),
                refresh_expires_in: refresh.expires_in.as_secs(),
            }),
        }
    }
}

/// An account that was created, and whose address has to be confirmed before a login.
#[derive(Serialize)]
pub(super) struct AccountCreated {
    status: &'static str,
    message: &'static str,
    public_id: String,
    email_verified: bool,
}

impl AccountCreated {
    pub(super) fn new(user: &User) -> Self {
        Self {
            status: "success",
            message: "Successfully registered. Please confirm your e-mail address.",
            public_id: user.id.to_string(),
            email_verified: user.email_verified,
        }
    }
}

/// What a good token says. Members that a token of a login without roles and scopes does not need are left out.
#[derive(Serialize)]
pub(super) struct TokenClaims<'p> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    token_id: String,
    admin: bool,
    #[serde(serialize_with = "rfc_3339")]
    issued_at: OffsetDateTime,
    #[serde(serialize_with = "rfc_3339")]
    expires_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

impl<'p> From<&'p Principal> for TokenClaims<'p> {
    fn from(principal: &'p Principal) -> Self {
        let client = principal.client_id();
        Self {
            user_id: client.is_none().then(|| principal.user_id().to_string()),
            client_id: client.map(|client| client.to_string()),
            token_id: principal.token_id().to_string(),
            admin: principal.is_admin(),
            issued_at: principal.issued_at(),
            expires_at: principal.expires_at(),
            roles: principal.roles().into_iter().flat_map(Roles::iter).map(Role::as_str).collect(),
            scope: principal.scopes().filter(|scopes| !scopes.is_empty()).map(Scopes::to_string),
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
    roles: Vec<&'u str>,
    email_verified: bool,
    #[serde(serialize_with = "rfc_3339_or_null")]
    last_login_at: Option<OffsetDateTime>,
}

impl<'u> From<&'u User> for UserView<'u> {
    fn from(user: &'u User) -> Self {
        Self {
            email: user.email.as_str(),
            username: user.username.as_str(),
            public_id: user.id.to_string(),
            registered_on: user.registered_on,
            admin: user.admin,
            roles: user.roles.iter().map(Role::as_str).collect(),
            email_verified: user.email_verified,
            last_login_at: user.last_login_at,
        }
    }
}

/// The sessions of a user that can be used.
#[derive(Serialize)]
pub(super) struct SessionList<'s> {
    data: Vec<SessionView<'s>>,
}

impl<'s> SessionList<'s> {
    /// `current` is the session of the token that the request came with.
    pub(super) fn new(sessions: &'s [Session], current: Option<SessionId>) -> Self {
        let view = |session: &'s Session| SessionView {
            id: session.id.to_string(),
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.idle_until.min(session.ends_at),
            user_agent: session.user_agent.as_deref(),
            network: session.network.as_deref(),
            current: current == Some(session.id),
        };
        Self { data: sessions.iter().map(view).collect() }
    }
}

/// A session, as far as its user may see it.
#[derive(Serialize)]
struct SessionView<'s> {
    id: String,
    #[serde(serialize_with = "rfc_3339")]
    created_at: OffsetDateTime,
    #[serde(serialize_with = "rfc_3339")]
    last_used_at: OffsetDateTime,
    #[serde(serialize_with = "rfc_3339")]
    expires_at: OffsetDateTime,
    user_agent: Option<&'s str>,
    network: Option<&'s str>,
    current: bool,
}

fn rfc_3339<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
}

#[expect(clippy::ref_option, reason = "serde hands the field over in this form")]
fn rfc_3339_or_null<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc_3339(at, serializer),
        None => serializer.serialize_none(),
    }
}

fn text<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
