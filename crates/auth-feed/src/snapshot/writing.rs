//! Writing of snapshots.

use std::collections::BTreeMap;

use auth_core::Revocation;
use auth_core::blacklist::RevocationTarget;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::{DIGEST_BYTES, Id, MAGIC, SECONDS_PER_HOUR, SnapshotCounts, SnapshotHeader, WireHeader};

/// Collector of the entries of a snapshot, which writes them at the end. The order of the entries does not matter, and an entry
/// that comes twice is written once.
#[derive(Debug, Default)]
pub struct SnapshotWriter {
    tokens: BTreeMap<u64, Vec<Id>>,
    sessions: BTreeMap<(u64, u64), Vec<Id>>,
    users: BTreeMap<Id, (u32, u64)>,
    keys: BTreeMap<Id, u64>,
}

impl SnapshotWriter {
    /// Adds an entry.
    pub fn add(&mut self, revocation: &Revocation) {
        let hour = hour_of(revocation.expires_at);
        match revocation.target {
            RevocationTarget::Token(id) => self.tokens.entry(hour).or_default().push(id.as_uuid().into_bytes()),
            RevocationTarget::Session(id) => {
                let group = self.sessions.entry((hour, hour_of(revocation.revoked_at))).or_default();
                group.push(id.as_uuid().into_bytes());
            }
            RevocationTarget::User { id, below } => {
                let (known, until) = self.users.entry(id.as_uuid().into_bytes()).or_default();
                *known = below.number().max(*known);
                *until = hour.max(*until);
            }
            RevocationTarget::Key(id) => {
                let until = self.keys.entry(id.as_uuid().into_bytes()).or_default();
                *until = hour.max(*until);
            }
        }
    }

    /// Adds tokens that expire in the same `hour` since 1970.
    pub fn add_tokens(&mut self, hour: u64, ids: &[Id]) {
        self.tokens.entry(hour).or_default().extend_from_slice(ids);
    }

    /// Adds sessions whose entries expire in the hour `hour` since 1970 and that ended in the hour `ended`.
    pub fn add_sessions(&mut self, hour: u64, ended: u64, ids: &[Id]) {
        self.sessions.entry((hour, ended)).or_default().extend_from_slice(ids);
    }

    /// Sorts the entries and returns the snapshot. The counts of `header` are replaced by the right ones. It takes about a second
    /// for ten million entries, so call it on a thread that may block.
    #[must_use]
    #[expect(clippy::stable_sort_primitive, reason = "the stable sort merges the parts that are sorted already")]
    pub fn finish(mut self, header: &SnapshotHeader) -> Vec<u8> {
        for ids in self.tokens.values_mut().chain(self.sessions.values_mut()) {
            ids.sort();
            ids.dedup();
        }
        let ids_of = |ids: &Vec<Id>| ids.len() as u64;
        let counts = SnapshotCounts {
            tokens: self.tokens.values().map(ids_of).sum(),
            sessions: self.sessions.values().map(ids_of).sum(),
            users: self.users.len() as u64,
            keys: self.keys.len() as u64,
        };
        let header = SnapshotHeader { counts, ..header.clone() };
        let json = serde_json::to_vec(&WireHeader::from(&header)).unwrap_or_default();
        let expected = usize::try_from(counts.total()).unwrap_or_default().saturating_mul(15);
        let mut out = Out(Vec::with_capacity(expected.saturating_add(json.len() + 1_024)));
        out.0.extend_from_slice(&MAGIC);
        out.count(json.len());
        out.0.extend_from_slice(&json);
        out.count(self.tokens.len());
        for (hour, ids) in &self.tokens {
            out.number(*hour);
            out.ids(ids);
        }
        out.count(self.sessions.len());
        for ((hour, ended), ids) in &self.sessions {
            out.number(*hour);
            out.number(*ended);
            out.ids(ids);
        }
        out.count(self.users.len());
        for (id, (below, hour)) in &self.users {
            out.0.extend_from_slice(id);
            out.0.extend_from_slice(&below.to_be_bytes());
            out.number(*hour);
        }
        out.count(self.keys.len());
        for (id, hour) in &self.keys {
            out.0.extend_from_slice(id);
            out.number(*hour);
        }
        let digest: [u8; DIGEST_BYTES] = Sha256::digest(&out.0).into();
        out.0.extend_from_slice(&digest);
        out.0
    }
}

/// Bytes of a snapshot under way.
struct Out(Vec<u8>);

impl Out {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn ids(&mut self, ids: &[Id]) {
        self.count(ids.len());
        let mut before: Option<&Id> = None;
        for id in ids {
            let shared =
                before.map_or(0, |before| before.iter().zip(id).take_while(|(one, other)| one == other).count());
            self.0.push(u8::try_from(shared).unwrap_or_default());
            self.0.extend_from_slice(&id[shared..]);
            before = Some(id);
        }
    }
}

/// Returns the number of whole hours between 1970 and `instant`.
pub(crate) fn hour_of(instant: OffsetDateTime) -> u64 {
    u64::try_from(instant.unix_timestamp().div_euclid(SECONDS_PER_HOUR)).unwrap_or_default()
}
