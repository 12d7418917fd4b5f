//! Where reading the log stands, and whether what is read next is of the same history.

use std::time::Duration;

use time::OffsetDateTime;

use super::tail::Round;
use auth_core::blacklist::{LogEntry, LogIdentity, LogPage, Position};

/// Where reading the log stands.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) identity: Option<LogIdentity>,
    /// The end of the log when it was last read.
    pub(super) head: Position,
    /// Up to where the log has been read.
    pub(super) position: Position,
    /// The last entry that was read and not purged since. It is read again with every page: if it is another one, the log is
    /// another one.
    pub(super) last: Option<LogEntry>,
    pub(super) round: Option<RoundUnderWay>,
    /// The loss that the last page told of.
    pub(super) lost: Option<OffsetDateTime>,
    pub(super) duty: Duty,
}

/// Reads of the log up to the head that the first of them saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundUnderWay {
    pub(super) number: Round,
    /// When its first read was sent.
    pub(super) sent: Duration,
    pub(super) goal: Position,
}

/// What has to be done about a loss before the log is read any further.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Duty {
    #[default]
    None,
    /// Another node found the loss: append what this one remembers.
    Restore,
    /// This node found it, then: tell the others as well.
    Report(OffsetDateTime),
}

/// How a page goes on from what was read before.
pub(super) enum Sequel {
    /// It follows.
    Next,
    /// The entry that would tell has been purged.
    Unknown,
    /// It comes from another log, or from one that went backwards.
    Other,
}

impl Reader {
    /// The position to read from: that before the last entry, or the beginning when there is nothing to compare.
    pub(super) fn after(&self) -> Position {
        self.last.map_or(Position(0), |last| Position(last.position.0.saturating_sub(1)))
    }

    /// How this page goes on from the one before.
    pub(super) fn sequel(&self, page: &LogPage) -> Sequel {
        let Some(identity) = self.identity else { return Sequel::Next };
        if identity != page.identity || page.head < self.head {
            return Sequel::Other;
        }
        let Some(last) = self.last else { return Sequel::Next };
        match page.entries.first() {
            Some(first) if *first == last => Sequel::Next,
            Some(first) if first.position == last.position => Sequel::Other,
            _ if page.purged.may_hold(&last.revocation) => Sequel::Unknown,
            _ => Sequel::Other,
        }
    }

    /// The entries of a page that follows, without the one that was read before.
    pub(super) fn new_entries<'p>(&self, page: &'p LogPage) -> &'p [LogEntry] {
        match page.entries.split_first() {
            Some((first, rest)) if self.last == Some(*first) => rest,
            _ => &page.entries,
        }
    }

    /// The loss that is not acknowledged, by this page or because it has yet to be recorded.
    pub(super) fn loss(&self, page: &LogPage) -> Option<OffsetDateTime> {
        match self.duty {
            Duty::Report(found) => page.lost.max(Some(found)),
            Duty::Restore | Duty::None => page.lost,
        }
    }

    /// Whether another node has found a loss since the last page. What the first page says is an older story.
    pub(super) fn is_told_of_loss(&self, page: &LogPage) -> bool {
        self.identity.is_some() && page.lost.is_some() && page.lost != self.lost
    }

    /// A page that follows was read, which may have held `limit` entries.
    pub(super) fn take(&mut self, page: &LogPage, limit: u32) {
        self.identity = Some(page.identity);
        self.head = page.head;
        self.lost = page.lost;
        if let Some(last) = page.entries.last() {
            self.position = self.position.max(last.position);
            self.last = Some(*last);
        }
        if (page.entries.len() as u64) < u64::from(limit) {
            // Nothing more was there: what lies between the last entry and the head has been purged.
            self.position = self.position.max(page.head);
        }
    }

    /// Reads the same log from its beginning, within the round under way.
    pub(super) fn begin_again(&mut self) {
        (self.position, self.last) = (Position(0), None);
    }
}
