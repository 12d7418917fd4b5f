//! State of a reader of the log, and the check that the next page belongs to the same history.

use std::time::Duration;

use time::OffsetDateTime;

use super::tail::Round;
use auth_core::blacklist::{LogEntry, LogIdentity, LogPage, Position};

/// State of a reader of the log.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) identity: Option<LogIdentity>,
    /// Head of the log at the last read.
    pub(super) head: Position,
    /// Position up to which the log has been read.
    pub(super) position: Position,
    /// Last entry that was read and not purged since. Every read includes it again. If there is another entry in its
    /// place, the log is another one.
    pub(super) last: Option<LogEntry>,
    pub(super) round: Option<RoundUnderWay>,
    /// Loss that the last page reported.
    pub(super) lost: Option<OffsetDateTime>,
    pub(super) pending: PendingRepair,
}

/// Round of reads up to the head that the first read of the round saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundUnderWay {
    pub(super) number: Round,
    /// Time at which the first read of the round was sent, less the age of its answer.
    pub(super) as_of: Duration,
    pub(super) goal: Position,
}

/// Work that a loss requires before the log is read any further.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PendingRepair {
    #[default]
    None,
    /// Append again the revocations that this node remembers. Another node found the loss.
    Restore,
    /// Report the loss to the other nodes, then restore. This node found it.
    Report(OffsetDateTime),
}

/// Relation of a page to the pages before it.
pub(super) enum Continuity {
    /// The page continues them.
    Continues,
    /// The entry that would show it has been purged.
    Unknown,
    /// The page is of another log, or of one that went backwards.
    OtherLog,
}

impl Reader {
    /// Returns the position to read from: that before the last entry, or the beginning if there is no last entry.
    pub(super) fn after(&self) -> Position {
        self.last.map_or(Position(0), |last| Position(last.position.0.saturating_sub(1)))
    }

    /// Returns the relation of this page to the one before.
    pub(super) fn continuity(&self, page: &LogPage) -> Continuity {
        let Some(identity) = self.identity else { return Continuity::Continues };
        if identity != page.identity || page.head < self.head {
            return Continuity::OtherLog;
        }
        let Some(last) = self.last else { return Continuity::Continues };
        match page.entries.first() {
            Some(first) if *first == last => Continuity::Continues,
            Some(first) if first.position == last.position => Continuity::OtherLog,
            _ if page.purged.may_hold(&last.revocation) => Continuity::Unknown,
            _ => Continuity::OtherLog,
        }
    }

    /// Returns the entries of a page that continues the log, without the one that was read before.
    pub(super) fn new_entries<'p>(&self, page: &'p LogPage) -> &'p [LogEntry] {
        match page.entries.split_first() {
            Some((first, rest)) if self.last == Some(*first) => rest,
            _ => &page.entries,
        }
    }

    /// Returns the loss that nobody has acknowledged: that of this page, or one that is not recorded yet.
    pub(super) fn loss(&self, page: &LogPage) -> Option<OffsetDateTime> {
        match self.pending {
            PendingRepair::Report(found) => page.lost.max(Some(found)),
            PendingRepair::Restore | PendingRepair::None => page.lost,
        }
    }

    /// Returns whether another node has found a loss since the last page. A loss on the first page is older and does
    /// not count.
    pub(super) fn reports_new_loss(&self, page: &LogPage) -> bool {
        self.identity.is_some() && page.lost.is_some() && page.lost != self.lost
    }

    /// Advances past a page that continues the log and was read with this `limit`.
    pub(super) fn take(&mut self, page: &LogPage, limit: u32) {
        self.identity = Some(page.identity);
        self.head = page.head;
        self.lost = page.lost;
        if let Some(last) = page.entries.last() {
            self.position = self.position.max(last.position);
            self.last = Some(*last);
        }
        if (page.entries.len() as u64) < u64::from(limit) {
            // The page was not full, so all entries between the last one and the head have been purged.
            self.position = self.position.max(page.head);
        }
    }

    /// Reads the same log from its beginning, within the round under way.
    pub(super) fn begin_again(&mut self) {
        (self.position, self.last) = (Position(0), None);
    }
}
