//! The letters of a store in memory.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::error::StoreError;
use crate::ids::UserId;
use crate::letters::{LeaseId, Leased, LeasedLetter, Letter, LetterId, Outbox, OutboxStats, QueuedLetter};

pub(super) struct LetterRow {
    pub(super) letter: Letter,
    due_at: OffsetDateTime,
    lease: Option<LeaseId>,
    attempts: u32,
}

impl LetterRow {
    pub(super) fn new(letter: Letter) -> Self {
        Self { due_at: letter.created_at, letter, lease: None, attempts: 0 }
    }

    fn queued(&self) -> QueuedLetter {
        let Letter { id, kind, user_id, created_at, .. } = self.letter;
        QueuedLetter {
            id,
            kind,
            user_id,
            to: self.letter.to.clone(),
            created_at,
            due_at: self.due_at,
            attempts: self.attempts,
        }
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn lease(
        &self,
        lease: LeaseId,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Leased, StoreError> {
        let mut tables = self.lock();
        let mut due: Vec<_> = tables.letters.values_mut().filter(|row| row.due_at <= now).collect();
        due.sort_by_key(|row| (row.due_at, row.letter.id));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let take = |row: &mut LetterRow| {
            row.due_at = until;
            row.lease = Some(lease);
            row.attempts = row.attempts.saturating_add(1);
            LeasedLetter { letter: row.letter.clone(), attempts: row.attempts }
        };
        Ok(Leased { letters: due.into_iter().map(take).collect(), unreadable: Vec::new() })
    }

    async fn remove(&self, id: LetterId, lease: LeaseId) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let is_held = tables.letters.get(&id).is_some_and(|row| row.lease == Some(lease));
        if is_held {
            tables.letters.remove(&id);
        }
        Ok(is_held)
    }

    async fn delay(&self, id: LetterId, lease: LeaseId, due_at: OffsetDateTime) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(row) = tables.letters.get_mut(&id).filter(|row| row.lease == Some(lease)) else { return Ok(false) };
        row.due_at = due_at;
        row.lease = None;
        Ok(true)
    }

    async fn queue(&self, limit: u32) -> Result<Vec<QueuedLetter>, StoreError> {
        let tables = self.lock();
        let mut queue: Vec<_> = tables.letters.values().filter(|row| row.letter.to.is_some()).collect();
        queue.sort_by_key(|row| (row.due_at, row.letter.id));
        queue.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(queue.into_iter().map(LetterRow::queued).collect())
    }

    async fn of_user(&self, user_id: UserId) -> Result<Vec<QueuedLetter>, StoreError> {
        let tables = self.lock();
        let mut queue: Vec<_> = tables.letters.values().filter(|row| row.letter.user_id == user_id).collect();
        queue.sort_by_key(|row| (row.letter.created_at, row.letter.id));
        Ok(queue.into_iter().map(LetterRow::queued).collect())
    }

    async fn stats(&self) -> Result<OutboxStats, StoreError> {
        let tables = self.lock();
        let oldest = tables.letters.values().map(|row| row.letter.created_at).min();
        Ok(OutboxStats { waiting: tables.letters.len() as u64, oldest })
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
