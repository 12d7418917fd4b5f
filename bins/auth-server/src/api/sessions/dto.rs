//! Bodies of the operations on sessions.

use auth_core::{Session, SessionId};
use poem_openapi::Object;
use poem_openapi::types::Example;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::example;

/// A session, as far as its user may see it.
#[derive(Object)]
#[oai(example)]
pub(crate) struct SessionView {
    /// The id.
    id: Uuid,
    /// When the user logged in.
    created_at: OffsetDateTime,
    /// When it was used last, to the minute: at the login or a refresh.
    last_used_at: OffsetDateTime,
    /// When it ends if it is not used again.
    expires_at: OffsetDateTime,
    /// The `User-Agent` of the login, shortened to 256 characters; null where it is not known or not kept.
    #[oai(nullable)]
    user_agent: Option<String>,
    /// The network of the login: an IPv4 address, or the /64 of an IPv6 address; null where it is not known or not kept.
    #[oai(nullable)]
    network: Option<String>,
    /// Whether it is the session of the token that the request came with.
    current: bool,
}

impl SessionView {
    /// `current` is the session of the token that the request came with.
    pub(crate) fn new(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id.as_uuid(),
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.idle_until.min(session.ends_at),
            user_agent: session.user_agent,
            network: session.network,
            current: current == Some(session.id),
        }
    }
}

impl Example for SessionView {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(0x2f0d_4c1b_9e57_4a60_8d3c_1b2a_3948_5766),
            created_at: example::TIME,
            last_used_at: example::TIME + time::Duration::DAY,
            expires_at: example::TIME + time::Duration::days(31),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into()),
            network: Some("192.0.2.7".into()),
            current: true,
        }
    }
}

/// The sessions of a user that can be used.
#[derive(Object)]
pub(crate) struct SessionList {
    /// The sessions, the one that was used last first.
    data: Vec<SessionView>,
}

impl SessionList {
    /// `current` is the session of the token that the request came with.
    pub(crate) fn new(sessions: Vec<Session>, current: Option<SessionId>) -> Self {
        Self { data: sessions.into_iter().map(|session| SessionView::new(session, current)).collect() }
    }
}
