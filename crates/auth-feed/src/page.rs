//! Pages of the feed: what is new after a cursor.

use std::time::Duration;

use auth_core::blacklist::{Mark, Position, Purged};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::cursor::Cursor;
pub use super::entry::FeedEntry;
use super::entry::WireEntry;
use super::page_error::PageError;
use super::stamp::Stamp;

/// Largest number of seconds or milliseconds that a page may say: 2⁵³ − 1, which every JSON parser keeps exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Page of the feed: the entries after a cursor, and where the follower stands then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// When the page was made.
    pub stamp: Stamp,
    /// Position up to which the server has read the log. The page is complete if [`next`](Self::next) is there.
    pub head: Position,
    /// Bounds of the entries that may have been purged. A token that expires no later is refused, or, for the bound of users,
    /// cannot be checked.
    pub purged: Purged,
    /// Entries after the cursor, in order of position.
    pub entries: Vec<FeedEntry>,
    /// Number of positions between the cursor and `next` whose entries were purged.
    pub skipped: u64,
    /// Cursor for the next request. It always has a mark.
    pub next: Cursor,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct WirePurged {
    tokens: i64,
    users: i64,
}

#[derive(Serialize, Deserialize)]
struct WirePage {
    epoch: Uuid,
    instance: Uuid,
    uptime_ms: u64,
    age_ms: u64,
    head: u64,
    purged: WirePurged,
    entries: Vec<WireEntry>,
    skipped: u64,
    next: String,
}

impl FeedPage {
    /// Returns the page as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let page = WirePage {
            epoch: self.next.epoch.0,
            instance: self.stamp.instance,
            uptime_ms: milliseconds_down(self.stamp.uptime),
            age_ms: milliseconds_up(self.stamp.age),
            head: self.head.0,
            purged: WirePurged::from(&self.purged),
            entries: self.entries.iter().map(WireEntry::from).collect(),
            skipped: self.skipped,
            next: Cursor { mark: self.next.mark.or(Some(Mark(0))), ..self.next }.to_string(),
        };
        serde_json::to_vec(&page).unwrap_or_default()
    }

    /// Reads the page that a server has sent for the cursor `after`.
    ///
    /// # Errors
    ///
    /// When it is not a page that continues `after` without a gap. Then nothing of it may be used, and it does not count as fresh.
    pub fn from_json(json: &[u8], after: &Cursor) -> Result<Self, PageError> {
        let wire: WirePage = serde_json::from_slice(json).map_err(|error| PageError::Form(error.into()))?;
        let next: Cursor = wire.next.parse().map_err(|_| broken("next", "it is EPOCH:POSITION:MARK"))?;
        let page = Self {
            stamp: read_stamp(wire.instance, wire.uptime_ms, wire.age_ms)?,
            head: Position(wire.head),
            purged: wire.purged.read()?,
            entries: wire.entries.iter().map(WireEntry::read).collect::<Result<_, _>>()?,
            skipped: wire.skipped,
            next,
        };
        if wire.epoch != next.epoch.0 {
            return Err(broken("epoch", "it is that of `next`"));
        }
        page.check(after)?;
        Ok(page)
    }

    /// Returns whether the follower has everything up to [`head`](Self::head) after this page.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.next.position == self.head
    }

    fn check(&self, after: &Cursor) -> Result<(), PageError> {
        if self.next.epoch != after.epoch {
            return Err(broken("epoch", "it is that of the cursor"));
        }
        if self.next.mark.is_none() {
            return Err(broken("next", "it has a mark"));
        }
        if self.head < self.next.position {
            return Err(broken("head", "it is not before `next`"));
        }
        let mut last = after.position;
        for entry in &self.entries {
            if entry.position <= last {
                return Err(broken("entries", "their positions ascend and are after the cursor"));
            }
            last = entry.position;
            if last == self.next.position && Some(entry.mark) != self.next.mark {
                return Err(broken("next", "it has the mark of the entry at its position"));
            }
        }
        if self.next.position < last {
            return Err(broken("next", "no entry is after it"));
        }
        let seen = self.skipped.checked_add(self.entries.len() as u64);
        if seen != Some(self.next.position.0 - after.position.0) {
            return Err(broken(
                "skipped",
                "with the number of entries it is the number of positions from the cursor to `next`",
            ));
        }
        Ok(())
    }
}

impl From<&Purged> for WirePurged {
    fn from(purged: &Purged) -> Self {
        // Rounded down, because tokens expire at whole seconds: the next second was not purged.
        Self { tokens: purged.tokens.unix_timestamp(), users: purged.users.unix_timestamp() }
    }
}

impl WirePurged {
    pub(crate) fn read(&self) -> Result<Purged, PageError> {
        let seconds = |seconds| {
            let instant = OffsetDateTime::from_unix_timestamp(seconds);
            instant.map_err(|_| broken("purged", "its members are seconds since 1970"))
        };
        Ok(Purged { tokens: seconds(self.tokens)?, users: seconds(self.users)? })
    }
}

pub(crate) fn read_stamp(instance: Uuid, uptime_ms: u64, age_ms: u64) -> Result<Stamp, PageError> {
    let milliseconds = |field, value| match value {
        0..=MAX_NUMBER => Ok(Duration::from_millis(value)),
        _ => Err(broken(field, "it is less than 2^53")),
    };
    Ok(Stamp { instance, uptime: milliseconds("uptime_ms", uptime_ms)?, age: milliseconds("age_ms", age_ms)? })
}

/// Rounds the uptime down, so that an answer counts as made earlier rather than later.
pub(crate) fn milliseconds_down(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(MAX_NUMBER)
}

/// Rounds an age up.
pub(crate) fn milliseconds_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(MAX_NUMBER)
}

fn broken(field: &'static str, rule: &'static str) -> PageError {
    PageError::Field { field, rule }
}

#[cfg(test)]
mod tests;
