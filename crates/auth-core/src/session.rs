//! Sessions: one login on one device each.
//!
//! A session is opened by a login and carried by its access tokens, whose claim `sid` names it. A session of the kind that
//! lasts has a refresh token as well, which is exchanged for a new access token and a new refresh token. Ending a session
//! revokes all its access tokens by one entry of the log.

mod csrf_token;
mod options;
mod purge;
mod refresh_token;
mod stats;
mod store;

use time::OffsetDateTime;

use crate::blacklist::RevocationReason;
use crate::ids::{Generation, SessionId, UserId};

pub use self::csrf_token::CsrfToken;
pub use self::options::SessionOptions;
pub use self::purge::purge_sessions;
pub use self::refresh_token::{MalformedRefreshToken, REFRESH_TOKEN_PREFIX, RefreshToken, RotationSalt, SecretDigest};
pub(crate) use self::stats::SessionCounts;
pub use self::stats::SessionStats;
pub use self::store::{Predecessor, RefreshState, Rotation, SessionStore, StoredSession};

/// Kind of session that a login opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionKind {
    /// The session has one access token, and ends with it.
    #[default]
    Single,
    /// The session has a refresh token, which renews its short access tokens.
    Renewable,
}

/// A session, as far as its user may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Id of the session: the `sid` of its access tokens.
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The user's generation at the login. A session of a lower generation than its user has ended.
    pub generation: Generation,
    /// Time of the login.
    pub created_at: OffsetDateTime,
    /// Time of the last use, to the minute: the login or a refresh.
    pub last_used_at: OffsetDateTime,
    /// End of the session if it is not used again before.
    pub idle_until: OffsetDateTime,
    /// End of the session, however often it is used.
    pub ends_at: OffsetDateTime,
    /// `User-Agent` of the login, at most [`MAX_USER_AGENT_CHARS`](Self::MAX_USER_AGENT_CHARS) characters, unless
    /// [details](SessionOptions::details) are off.
    pub user_agent: Option<String>,
    /// Network of the login, unless [details](SessionOptions::details) are off.
    pub network: Option<String>,
    /// The end of the session, if somebody ended it.
    pub ended: Option<SessionEnd>,
}

/// End of a session before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionEnd {
    /// Time of the end.
    pub at: OffsetDateTime,
    /// Reason of the end.
    pub reason: RevocationReason,
}

impl Session {
    /// Longest user agent that is kept, in characters.
    pub const MAX_USER_AGENT_CHARS: usize = 256;

    /// Whether the session can be used at `now`, by a user of this generation.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime, generation: Generation) -> bool {
        self.ended.is_none() && now < self.idle_until && now < self.ends_at && self.generation == generation
    }
}
