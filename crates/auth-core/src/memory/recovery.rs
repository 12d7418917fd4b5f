//! The one-time tokens of a store in memory.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::outbox::LetterRow;
use super::{MemoryStore, Tables};
use crate::email::Email;
use crate::error::StoreError;
use crate::ids::UserId;
use crate::recovery::{
    MAX_OPEN_TOKENS, OneTimeTokenDigest, OneTimeTokenPurpose, OneTimeTokenStore, Redemption, SideEffects,
    StoredOneTimeToken,
};

pub(super) struct TokenRow {
    pub(super) token: StoredOneTimeToken,
    /// Time of its use or its end.
    pub(super) used: Option<OffsetDateTime>,
}

impl TokenRow {
    fn is_open(&self, at: OffsetDateTime) -> bool {
        self.used.is_none() && at < self.token.expires_at
    }
}

impl Tables {
    /// Makes side effects. Returns false, and has changed nothing, when the one-time token cannot be used.
    pub(super) fn make(&mut self, effects: SideEffects) -> bool {
        let SideEffects { redeem, end, tokens, letters } = effects;
        if let Some(redemption) = redeem
            && !self.redeem(redemption)
        {
            return false;
        }
        if let Some(end) = end {
            let ended = |row: &&mut TokenRow| {
                row.used.is_none() && row.token.user_id == end.user_id && end.purposes.contains(&row.token.purpose)
            };
            self.tokens.iter_mut().filter(ended).for_each(|row| row.used = Some(end.at));
        }
        self.tokens.extend(tokens.into_iter().map(|token| TokenRow { token, used: None }));
        self.letters.extend(letters.into_iter().map(|letter| (letter.id, LetterRow::new(letter))));
        true
    }

    fn redeem(&mut self, Redemption { token, at, .. }: Redemption) -> bool {
        let Some(used) = self.tokens.iter_mut().find(|row| row.token.id == token && row.is_open(at)) else {
            return false;
        };
        used.used = Some(at);
        let StoredOneTimeToken { user_id, purpose, created_at, .. } = used.token;
        let ends_earlier_ones = purpose != OneTimeTokenPurpose::UndoEmailChange;
        for sibling in self.tokens.iter_mut().filter(|row| row.used.is_none()) {
            let of_it = sibling.token.user_id == user_id && sibling.token.purpose == purpose;
            if of_it && (ends_earlier_ones || sibling.token.created_at >= created_at) {
                sibling.used = Some(at);
            }
        }
        true
    }
}

#[async_trait]
impl OneTimeTokenStore for MemoryStore {
    async fn write(&self, effects: SideEffects) -> Result<bool, StoreError> {
        Ok(self.lock().make(effects))
    }

    async fn find(
        &self,
        digest: OneTimeTokenDigest,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        let tables = self.lock();
        let found = tables.tokens.iter().find(|row| row.token.digest == digest && row.is_open(at));
        Ok(found.map(|row| row.token.clone()))
    }

    async fn find_latest(
        &self,
        sent_to: &Email,
        purpose: OneTimeTokenPurpose,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        let tables = self.lock();
        let matches = |row: &&TokenRow| {
            row.is_open(at)
                && row.token.purpose == purpose
                && row.token.code_hash.is_some()
                && row.token.sent_to.as_ref().is_some_and(|address| address.key() == sent_to.key())
        };
        let latest = tables.tokens.iter().filter(matches).max_by_key(|row| (row.token.created_at, row.token.id));
        Ok(latest.map(|row| row.token.clone()))
    }

    async fn open_tokens(&self, user_id: UserId, at: OffsetDateTime) -> Result<Vec<StoredOneTimeToken>, StoreError> {
        let tables = self.lock();
        let open = tables.tokens.iter().filter(|row| row.token.user_id == user_id && row.is_open(at));
        let mut open: Vec<_> = open.map(|row| row.token.clone()).collect();
        open.sort_by_key(|token| std::cmp::Reverse((token.created_at, token.id)));
        open.truncate(MAX_OPEN_TOKENS as usize);
        Ok(open)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let mut left = limit;
        let count = tables.tokens.len();
        tables.tokens.retain(|row| {
            let is_removed = left > 0 && row.token.expires_at < before;
            left -= u32::from(is_removed);
            !is_removed
        });
        Ok((count - tables.tokens.len()) as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
