//! The latest entries of the log, for pages.

use std::collections::VecDeque;

use auth_core::blacklist::{Mark, Position};

use crate::cursor::Cursor;
use crate::page::FeedEntry;

/// Mark of position 0, and of a position whose entry is gone.
const NO_ENTRY: Mark = Mark(0);

/// The latest entries, up to a number of them.
#[derive(Debug)]
pub(super) struct Recent {
    kept: usize,
    entries: VecDeque<FeedEntry>,
    /// The entry before the first one, or the beginning of the log.
    floor: (Position, Mark),
    /// Position up to which the log was read.
    tip: Position,
}

/// Entries after a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) entries: Vec<FeedEntry>,
    pub(super) position: Position,
    pub(super) mark: Mark,
}

impl Recent {
    pub(super) fn new(kept: usize) -> Self {
        Self { kept, entries: VecDeque::new(), floor: (Position(0), NO_ENTRY), tip: Position(0) }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.kept);
    }

    pub(super) fn tip(&self) -> Position {
        self.tip
    }

    pub(super) fn take(&mut self, entries: impl Iterator<Item = FeedEntry>, tip: Position) {
        for entry in entries {
            if self.entries.len() == self.kept
                && let Some(oldest) = self.entries.pop_front()
            {
                self.floor = (oldest.position, oldest.mark);
            }
            self.entries.push_back(entry);
        }
        self.tip = self.tip.max(tip);
    }

    /// Returns the mark of the last position.
    pub(super) fn tip_mark(&self) -> Mark {
        match self.entries.back() {
            Some(last) if last.position == self.tip => last.mark,
            None if self.floor.0 == self.tip => self.floor.1,
            _ => NO_ENTRY,
        }
    }

    /// Returns at most `limit` entries after the cursor. `None` when the cursor is of another history or too old.
    pub(super) fn after(&self, cursor: &Cursor, limit: usize) -> Option<Part> {
        if cursor.position < self.floor.0 || cursor.position > self.tip {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.position <= cursor.position);
        let known = if cursor.position == self.floor.0 {
            self.floor.1
        } else {
            let last = first.checked_sub(1).and_then(|place| self.entries.get(place));
            last.filter(|last| last.position == cursor.position).map_or(NO_ENTRY, |last| last.mark)
        };
        if cursor.mark.is_some_and(|mark| mark != known) {
            return None;
        }
        let entries: Vec<_> = self.entries.range(first..).take(limit).copied().collect();
        let (position, mark) = match entries.last() {
            Some(last) if first + entries.len() < self.entries.len() => (last.position, last.mark),
            _ => (self.tip, self.tip_mark()),
        };
        Some(Part { entries, position, mark })
    }
}

#[cfg(test)]
mod tests {
    use auth_core::blacklist::{LogIdentity, RevocationTarget};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    fn entry(position: u64) -> FeedEntry {
        FeedEntry {
            position: Position(position),
            mark: Mark(position * 11),
            target: RevocationTarget::Token(Uuid::from_u128(position.into()).into()),
            expires_at: OffsetDateTime::UNIX_EPOCH,
            revoked_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn cursor(position: u64, mark: Option<u64>) -> Cursor {
        Cursor { epoch: LogIdentity(Uuid::nil()), position: Position(position), mark: mark.map(Mark) }
    }

    fn positions(recent: &Recent, position: u64, mark: Option<u64>, limit: usize) -> Option<(Vec<u64>, u64, u64)> {
        let part = recent.after(&cursor(position, mark), limit)?;
        Some((part.entries.iter().map(|entry| entry.position.0).collect(), part.position.0, part.mark.0))
    }

    #[test]
    fn a_cursor_is_served_from_its_entry_on_and_another_history_is_refused() {
        let mut recent = Recent::new(3);
        recent.take([1, 2, 5].map(entry).into_iter(), Position(6));
        assert_eq!(positions(&recent, 0, Some(0), 2), Some((vec![1, 2], 2, 22)));
        assert_eq!(positions(&recent, 2, Some(22), 2), Some((vec![5], 6, 0)), "position 6 was purged");
        assert_eq!(positions(&recent, 6, Some(0), 2), Some((vec![], 6, 0)));
        assert_eq!(positions(&recent, 2, None, 1), Some((vec![5], 6, 0)));
        assert_eq!(positions(&recent, 2, Some(23), 2), None, "another mark");
        assert_eq!(positions(&recent, 7, None, 2), None, "beyond the head");
    }

    #[test]
    fn what_is_kept_is_bounded_and_an_older_cursor_is_refused() {
        let mut recent = Recent::new(3);
        recent.take((1..=5).map(entry), Position(5));
        assert_eq!(positions(&recent, 2, Some(22), 9), Some((vec![3, 4, 5], 5, 55)), "the last one that went");
        assert_eq!((positions(&recent, 1, Some(11), 9), positions(&recent, 2, Some(21), 9)), (None, None));
        recent.clear();
        assert_eq!(positions(&recent, 0, Some(0), 9), Some((vec![], 0, 0)));
    }
}
