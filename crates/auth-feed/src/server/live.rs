//! Everything that is revoked and not purged, for snapshots.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use auth_core::blacklist::{Purged, RevocationTarget};
use uuid::Uuid;

use crate::page::FeedEntry;
use crate::snapshot::{Id, SnapshotWriter, hour_of};

/// Number of ids after which a part of a group does not change any more.
const PART: usize = 1 << 16;

/// Ids that expire in one hour. Full parts are shared with the snapshots that are being built, so that a copy of the group is cheap.
#[derive(Debug, Default, Clone)]
struct Group {
    full: Vec<Arc<[Id]>>,
    open: Vec<Id>,
}

impl Group {
    fn push(&mut self, id: Id) {
        self.open.push(id);
        if self.open.len() == PART {
            self.open.sort_unstable();
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }

    fn parts(&self) -> impl Iterator<Item = &[Id]> {
        self.full.iter().map(AsRef::as_ref).chain([self.open.as_slice()])
    }
}

/// Everything that is revoked. It goes when the log says that it purged it, and by no clock of this machine: a clock that was
/// wrong for a while loses nothing.
#[derive(Debug, Default, Clone)]
pub(super) struct Live {
    tokens: BTreeMap<u64, Group>,
    sessions: BTreeMap<(u64, u64), Group>,
    others: HashMap<(Uuid, bool), FeedEntry>,
}

impl Live {
    pub(super) fn add(&mut self, entry: &FeedEntry) {
        let hour = hour_of(entry.expires_at);
        match entry.target {
            RevocationTarget::Token(id) => self.tokens.entry(hour).or_default().push(id.as_uuid().into_bytes()),
            RevocationTarget::Session(id) => {
                let group = self.sessions.entry((hour, hour_of(entry.revoked_at))).or_default();
                group.push(id.as_uuid().into_bytes());
            }
            RevocationTarget::User { id, below } => {
                let known = self.others.entry((id.as_uuid(), true)).or_insert(*entry);
                if let RevocationTarget::User { below: least, .. } = &mut known.target {
                    *least = below.max(*least);
                }
                known.expires_at = entry.expires_at.max(known.expires_at);
            }
            RevocationTarget::Key(id) => {
                let known = self.others.entry((id.as_uuid(), false)).or_insert(*entry);
                known.expires_at = entry.expires_at.max(known.expires_at);
            }
        }
    }

    /// Drops what the log has purged: a follower refuses it by the bounds.
    pub(super) fn purge(&mut self, purged: Purged) {
        // The hour that holds the bound may have entries that were not purged.
        let first = hour_of(purged.tokens);
        self.tokens = self.tokens.split_off(&first);
        self.sessions = self.sessions.split_off(&(first, 0));
        self.others.retain(|_, entry| !purged.may_hold(&entry.revocation()));
    }

    pub(super) fn write(&self) -> SnapshotWriter {
        let mut writer = SnapshotWriter::default();
        for (hour, group) in &self.tokens {
            group.parts().for_each(|ids| writer.add_tokens(*hour, ids));
        }
        for ((hour, ended), group) in &self.sessions {
            group.parts().for_each(|ids| writer.add_sessions(*hour, *ended, ids));
        }
        self.others.values().for_each(|entry| writer.add(&entry.revocation()));
        writer
    }
}
