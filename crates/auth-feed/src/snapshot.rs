//! Snapshots: everything that is revoked at one position of the log, in one compact file.
//!
//! | part | content |
//! |---|---|
//! | magic | `RARS`, then the version, `0x01` |
//! | header | its length in bytes as u32, then JSON |
//! | tokens | u32 number of groups; each: u64 hour of expiry, u32 number of ids, the ids |
//! | sessions | likewise; each group: u64 hour of expiry, u64 hour of revocation, u32 number of ids, the ids |
//! | users | u32 number; each: 16 bytes id, u32 generation, u64 hour of expiry |
//! | keys | u32 number; each: 16 bytes id, u64 hour of expiry |
//! | digest | 32 bytes, SHA-256 of all bytes before |
//!
//! Numbers are big-endian. An hour is the number of whole hours since 1970. The ids of a group are sorted and each is there once.
//! An id is written as the number of its leading bytes that it shares with the id before, and the rest of it.

mod reading;
mod writing;

use auth_core::blacklist::{Position, Purged};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(feature = "client")]
pub(crate) use self::reading::digested;
pub use self::reading::{SnapshotError, SnapshotReader};
pub use self::writing::SnapshotWriter;
#[cfg(feature = "server")]
pub(crate) use self::writing::hour_of;
use super::cursor::Cursor;
use super::page::{WirePurged, milliseconds_down, milliseconds_up, read_stamp};
use super::page_error::PageError;
use super::stamp::Stamp;

/// Media type of a snapshot.
pub const MEDIA_TYPE: &str = "application/vnd.revocable-auth.snapshot";

const MAGIC: [u8; 5] = *b"RARS\x01";
const DIGEST_BYTES: usize = 32;
const SECONDS_PER_HOUR: i64 = 3_600;

/// Id in a snapshot: the bytes of a UUID.
pub type Id = [u8; 16];

/// Head of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// When the content of the snapshot was gathered.
    pub stamp: Stamp,
    /// Position up to which the server had read the log.
    pub head: Position,
    /// Bounds of the entries that may have been purged.
    pub purged: Purged,
    /// Cursor for the first page after the snapshot.
    pub next: Cursor,
    /// Numbers of the entries.
    pub counts: SnapshotCounts,
}

/// Numbers of the entries of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotCounts {
    /// Number of single tokens.
    pub tokens: u64,
    /// Number of sessions.
    pub sessions: u64,
    /// Number of users.
    pub users: u64,
    /// Number of keys.
    pub keys: u64,
}

impl SnapshotCounts {
    /// Returns the number of all entries.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.tokens, self.sessions, self.users, self.keys].into_iter().fold(0, u64::saturating_add)
    }
}

#[derive(Serialize, Deserialize)]
struct WireHeader {
    epoch: Uuid,
    instance: Uuid,
    uptime_ms: u64,
    age_ms: u64,
    head: u64,
    purged: WirePurged,
    next: String,
    counts: SnapshotCounts,
}

impl From<&SnapshotHeader> for WireHeader {
    fn from(header: &SnapshotHeader) -> Self {
        Self {
            epoch: header.next.epoch.0,
            instance: header.stamp.instance,
            uptime_ms: milliseconds_down(header.stamp.uptime),
            age_ms: milliseconds_up(header.stamp.age),
            head: header.head.0,
            purged: WirePurged::from(&header.purged),
            next: header.next.to_string(),
            counts: header.counts,
        }
    }
}

impl WireHeader {
    fn read(self) -> Result<SnapshotHeader, PageError> {
        let broken = |field, rule| PageError::Field { field, rule };
        let next: Cursor = self.next.parse().map_err(|_| broken("next", "it is EPOCH:POSITION:MARK"))?;
        if next.mark.is_none() {
            return Err(broken("next", "it has a mark"));
        }
        if next.epoch.0 != self.epoch {
            return Err(broken("epoch", "it is that of `next`"));
        }
        Ok(SnapshotHeader {
            stamp: read_stamp(self.instance, self.uptime_ms, self.age_ms)?,
            head: Position(self.head),
            purged: self.purged.read()?,
            next,
            counts: self.counts,
        })
    }
}

#[cfg(test)]
mod tests;
