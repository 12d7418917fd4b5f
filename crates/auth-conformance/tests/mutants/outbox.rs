//! An outbox in memory, right and wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::letters::{LeaseId, Leased, LeasedLetter, LetterId, Outbox, OutboxStats, QueuedLetter};
use auth_core::{StoreError, UserId};
use time::{Duration, OffsetDateTime};

use crate::Fault;
use crate::database::Database;

/// Who holds which letter.
pub(crate) type Holders = Mutex<HashMap<LetterId, LeaseId>>;

/// One node's outbox.
#[derive(Debug)]
pub(crate) struct Letters {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    queue: Mutex<Option<Vec<QueuedLetter>>>,
}

impl Letters {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, queue: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    fn store(&self) -> &dyn Outbox {
        &self.database.users
    }

    /// Returns the lease that is given in place of `lease`.
    fn holder(&self, fault: Fault, id: LetterId, lease: LeaseId) -> LeaseId {
        let present = self.database.holders.lock().unwrap().get(&id).copied();
        present.filter(|_| self.has(fault)).unwrap_or(lease)
    }

    /// Leases the letters that became due last.
    async fn lease_the_newest(
        &self,
        lease: LeaseId,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Leased, StoreError> {
        let mut leased = self.store().lease(lease, now, until, u32::MAX).await?;
        let rest = leased.letters.len().saturating_sub(limit as usize);
        for LeasedLetter { letter, .. } in leased.letters.drain(..rest) {
            self.store().delay(letter.id, lease, letter.created_at).await?;
        }
        Ok(leased)
    }
}

#[async_trait]
impl Outbox for Letters {
    async fn lease(
        &self,
        lease: LeaseId,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Leased, StoreError> {
        self.database.up()?;
        let mut leased = match self.database.fault {
            Fault::LooksThenLeases => {
                let due = self.store().queue(limit).await?.into_iter().filter(|queued| queued.due_at <= now);
                let due: Vec<_> = due.map(|queued| queued.id).collect();
                pass(1).await;
                let written = self.database.written.letters.lock().unwrap().clone();
                let letters = written.into_iter().filter(|letter| due.contains(&letter.id));
                let letters = letters.map(|letter| LeasedLetter { letter, attempts: 1 }).collect();
                self.store().lease(lease, now, until, limit).await?;
                Leased { letters, unreadable: Vec::new() }
            }
            Fault::LeasesForEver => self.store().lease(lease, now, until + Duration::DAY, limit).await?,
            Fault::LeasesTheNewestFirst => self.lease_the_newest(lease, now, until, limit).await?,
            _ => self.store().lease(lease, now, until, limit).await?,
        };
        let damaged = self.database.damaged.lock().unwrap().clone();
        let is_damaged = |leased: &LeasedLetter| damaged.contains(&Row::Letter(leased.letter.id));
        if self.has(Fault::FailsOnDamagedLetters) && leased.letters.iter().any(is_damaged) {
            return Err(StoreError::corrupt("no such kind"));
        }
        leased.unreadable =
            leased.letters.extract_if(.., |leased| is_damaged(leased)).map(|leased| leased.letter.id).collect();
        let ids = leased.letters.iter().map(|leased| leased.letter.id).chain(leased.unreadable.iter().copied());
        self.database.holders.lock().unwrap().extend(ids.map(|id| (id, lease)));
        if self.has(Fault::CountsNoLeases) {
            leased.letters.iter_mut().for_each(|leased| leased.attempts = 1);
        }
        Ok(leased)
    }

    async fn remove(&self, id: LetterId, lease: LeaseId) -> Result<bool, StoreError> {
        self.database.up()?;
        if self.has(Fault::KeepsSentLetters) {
            return self.store().delay(id, lease, OffsetDateTime::UNIX_EPOCH + Duration::days(36_500)).await;
        }
        self.store().remove(id, self.holder(Fault::RemovesForAnybody, id, lease)).await
    }

    async fn delay(&self, id: LetterId, lease: LeaseId, due_at: OffsetDateTime) -> Result<bool, StoreError> {
        self.database.up()?;
        let due_at = if self.has(Fault::DelaysNothing) { OffsetDateTime::UNIX_EPOCH } else { due_at };
        self.store().delay(id, self.holder(Fault::DelaysForAnybody, id, lease), due_at).await
    }

    async fn queue(&self, limit: u32) -> Result<Vec<QueuedLetter>, StoreError> {
        if self.has(Fault::OutageIsNoLetter) && self.database.up().is_err() {
            return Ok(Vec::new());
        }
        self.database.up()?;
        let mut queue = self.store().queue(limit).await?;
        if self.has(Fault::ListsDecoys) {
            let decoys: Vec<_> = {
                let written = self.database.written.letters.lock().unwrap();
                written.iter().filter(|letter| letter.to.is_none()).map(|letter| letter.user_id).collect()
            };
            for user_id in decoys {
                queue.extend(self.store().of_user(user_id).await?);
            }
        }
        if self.has(Fault::RemembersTheQueue) {
            return Ok(self.queue.lock().unwrap().get_or_insert(queue).clone());
        }
        Ok(queue)
    }

    async fn of_user(&self, user_id: UserId) -> Result<Vec<QueuedLetter>, StoreError> {
        self.database.up()?;
        self.store().of_user(user_id).await
    }

    async fn stats(&self) -> Result<OutboxStats, StoreError> {
        self.database.up()?;
        self.store().stats().await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
