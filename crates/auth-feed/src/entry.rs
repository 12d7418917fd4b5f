//! Entries of the feed.

use std::time::Duration;

use auth_core::blacklist::{LogEntry, Mark, Position, RevocationReason, RevocationTarget};
use auth_core::token::{MAX_CLOCK_SKEW, MAX_TOKEN_LIFE};
use auth_core::{Generation, Revocation};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::cursor::{mark_text, parse_mark};
use super::page_error::PageError;

/// Longest time from the end of a session to the expiry of its last token, with clocks that differ.
pub(crate) const MAX_SESSION_ENTRY_LIFE: Duration =
    MAX_TOKEN_LIFE.saturating_add(MAX_CLOCK_SKEW).saturating_add(MAX_CLOCK_SKEW);

/// Entry of the feed: an entry of the log without its reason, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedEntry {
    /// Position of the entry in the log.
    pub position: Position,
    /// Mark of the entry.
    pub mark: Mark,
    /// The tokens that end.
    pub target: RevocationTarget,
    /// Second after which no token needs the entry, leeway apart.
    pub expires_at: OffsetDateTime,
    /// Second of the revocation. The feed says it for sessions only; for other targets it equals [`expires_at`](Self::expires_at).
    pub revoked_at: OffsetDateTime,
}

impl FeedEntry {
    /// Returns the entry as a revocation. Its reason is [`Logout`](RevocationReason::Logout), because the feed says none.
    #[must_use]
    pub fn revocation(&self) -> Revocation {
        let Self { target, expires_at, revoked_at, .. } = *self;
        Revocation { target, expires_at, revoked_at, reason: RevocationReason::Logout }
    }
}

impl From<&LogEntry> for FeedEntry {
    fn from(LogEntry { position, mark, revocation }: &LogEntry) -> Self {
        let expires_at = whole_seconds(revocation.expires_at, Rounding::Up);
        let revoked_at = match revocation.target {
            RevocationTarget::Session(_) => whole_seconds(revocation.revoked_at, Rounding::Down),
            RevocationTarget::Token(_) | RevocationTarget::User { .. } | RevocationTarget::Key(_) => expires_at,
        };
        Self { position: *position, mark: *mark, target: revocation.target, expires_at, revoked_at }
    }
}

fn since_1970(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|instant| *instant >= OffsetDateTime::UNIX_EPOCH)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Up,
    Down,
}

fn whole_seconds(instant: OffsetDateTime, rounding: Rounding) -> OffsetDateTime {
    let up = i64::from(rounding == Rounding::Up && instant.nanosecond() != 0);
    OffsetDateTime::from_unix_timestamp(instant.unix_timestamp() + up).unwrap_or(instant)
}

/// Entry as JSON. It has exactly one of `token`, `session`, `user` and `key`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WireEntry {
    position: u64,
    mark: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

impl From<&FeedEntry> for WireEntry {
    fn from(entry: &FeedEntry) -> Self {
        let wire = Self {
            position: entry.position.0,
            mark: mark_text(entry.mark),
            exp: entry.expires_at.unix_timestamp(),
            ..Self::default()
        };
        match entry.target {
            RevocationTarget::Token(id) => Self { token: Some(id.as_uuid()), ..wire },
            RevocationTarget::Session(id) => {
                Self { session: Some(id.as_uuid()), at: Some(entry.revoked_at.unix_timestamp()), ..wire }
            }
            RevocationTarget::User { id, below } => {
                Self { user: Some(id.as_uuid()), below: Some(below.number()), ..wire }
            }
            RevocationTarget::Key(id) => Self { key: Some(id.to_string()), ..wire },
        }
    }
}

impl WireEntry {
    /// # Errors
    ///
    /// The entry has another kind of target than the four, several of them, or a value out of range. Leaving such an entry out
    /// would accept the tokens that it ends.
    pub(crate) fn read(&self) -> Result<FeedEntry, PageError> {
        let broken = |rule| PageError::Entry { position: self.position, rule };
        let target = match self {
            Self { token: Some(id), session: None, user: None, key: None, .. } => RevocationTarget::Token((*id).into()),
            Self { token: None, session: Some(id), user: None, key: None, .. } => {
                RevocationTarget::Session((*id).into())
            }
            Self { token: None, session: None, user: Some(id), key: None, below: Some(below), .. } => {
                RevocationTarget::User { id: (*id).into(), below: Generation::new(*below) }
            }
            Self { token: None, session: None, user: None, key: Some(id), .. } => {
                let id = Some(id).filter(|id| id.len() == 32).and_then(|id| Uuid::try_parse(id).ok());
                RevocationTarget::Key(id.ok_or(broken("`key` has 32 hexadecimal digits"))?.into())
            }
            _ => return Err(broken("it has exactly one of `token`, `session`, `user` with `below`, and `key`")),
        };
        let expires_at = since_1970(self.exp).ok_or(broken("`exp` is a number of seconds since 1970"))?;
        let revoked_at = match target {
            RevocationTarget::Session(_) => {
                let at = self.at.and_then(since_1970);
                let at = at.ok_or(broken("a session has `at`, a number of seconds since 1970"))?;
                if expires_at - at > MAX_SESSION_ENTRY_LIFE {
                    return Err(broken("`exp` is at most 7790400 seconds after `at`"));
                }
                at
            }
            RevocationTarget::Token(_) | RevocationTarget::User { .. } | RevocationTarget::Key(_) => expires_at,
        };
        let mark = parse_mark(&self.mark).ok_or(broken("`mark` has 16 hexadecimal digits"))?;
        Ok(FeedEntry { position: Position(self.position), mark, target, expires_at, revoked_at })
    }
}
