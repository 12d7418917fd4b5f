//! A store of one-time tokens in memory, right and wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::recovery::{
    EndTokens, OneTimeTokenDigest, OneTimeTokenId, OneTimeTokenPurpose, OneTimeTokenStore, SideEffects,
    StoredOneTimeToken,
};
use auth_core::{Email, Letter, StoreError, UserId};
use time::{Duration, OffsetDateTime};

use crate::Fault;
use crate::database::Database;

/// What was ever written, by any node.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) tokens: Mutex<Vec<StoredOneTimeToken>>,
    pub(crate) letters: Mutex<Vec<Letter>>,
}

impl Database {
    /// Returns side effects as a store with the fault writes them.
    pub(crate) fn prepare(&self, mut effects: SideEffects) -> SideEffects {
        match self.fault {
            Fault::DropsTheEffects => return SideEffects { redeem: effects.redeem, ..SideEffects::default() },
            Fault::EndsEveryPurpose => {
                if let Some(end) = &mut effects.end {
                    end.purposes = OneTimeTokenPurpose::ALL.to_vec();
                }
            }
            _ => {}
        }
        for token in &mut effects.tokens {
            if self.fault == Fault::CutsTheToken {
                token.created_at = token.created_at.replace_nanosecond(0).unwrap();
            }
            if self.fault == Fault::ReservesNothing && token.purpose == OneTimeTokenPurpose::UndoEmailChange {
                token.sent_to = None;
            }
        }
        for letter in &mut effects.letters {
            if self.fault == Fault::CutsTheLetter {
                letter.created_at = letter.created_at.replace_nanosecond(0).unwrap();
            }
        }
        self.written.tokens.lock().unwrap().extend(effects.tokens.iter().cloned());
        self.written.letters.lock().unwrap().extend(effects.letters.iter().cloned());
        effects
    }

    fn written_token(&self, id: OneTimeTokenId) -> Option<StoredOneTimeToken> {
        self.written.tokens.lock().unwrap().iter().find(|token| token.id == id).cloned()
    }

    /// Writes again what was taken away from these tokens.
    pub(crate) async fn bring_back(&self, tokens: Vec<StoredOneTimeToken>) -> Result<(), StoreError> {
        let anew = |token| StoredOneTimeToken { id: OneTimeTokenId::generate().unwrap(), ..token };
        let tokens = tokens.into_iter().map(anew).collect();
        self.users.write(SideEffects { tokens, ..SideEffects::default() }).await?;
        Ok(())
    }

    /// Returns those tokens of a user that are open at `at`.
    pub(crate) async fn open_of(
        &self,
        user_id: UserId,
        at: OffsetDateTime,
    ) -> Result<Vec<StoredOneTimeToken>, StoreError> {
        self.users.open_tokens(user_id, at).await
    }
}

/// One node's store of one-time tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    remembered: Mutex<HashMap<[u8; 32], StoredOneTimeToken>>,
}

impl Tokens {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, remembered: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    fn readable(&self, token: Option<StoredOneTimeToken>) -> Result<Option<StoredOneTimeToken>, StoreError> {
        match token {
            Some(token) if self.database.damaged.lock().unwrap().contains(&Row::OneTimeToken(token.id)) => {
                if self.has(Fault::SkipsDamagedTokens) { Ok(None) } else { Err(StoreError::corrupt("no digest")) }
            }
            token => Ok(token),
        }
    }

    /// Returns a token that was sent to this address for this purpose, chosen by a store with a fault.
    fn wrong_latest(&self, sent_to: &Email, purpose: OneTimeTokenPurpose) -> Option<StoredOneTimeToken> {
        let tokens = self.database.written.tokens.lock().unwrap();
        let matches = |token: &&StoredOneTimeToken| {
            token.purpose == purpose && token.sent_to.as_ref().is_some_and(|to| to.key() == sent_to.key())
        };
        let matching = tokens.iter().filter(matches);
        if self.has(Fault::FindsTheFirstToken) {
            matching.min_by_key(|token| token.created_at).cloned()
        } else {
            matching.max_by_key(|token| token.created_at).cloned()
        }
    }

    /// Uses a token as a store with a fault does.
    async fn use_wrongly(&self, token: StoredOneTimeToken, mut effects: SideEffects) -> Result<bool, StoreError> {
        let (users, at) = (&self.database.users, token.created_at);
        let end = |purposes: Vec<OneTimeTokenPurpose>| Some(EndTokens { user_id: token.user_id, purposes, at });
        match self.database.fault {
            Fault::ReadsThenUses => {
                let is_open = users.find(token.digest, at).await?.is_some();
                pass(1).await;
                users.write(effects).await?;
                return Ok(is_open);
            }
            Fault::WritesThenUses => {
                let rest = SideEffects { redeem: None, ..effects.clone() };
                users.write(rest).await?;
                effects = SideEffects { redeem: effects.redeem, ..SideEffects::default() };
            }
            Fault::UsesThenWrites => {
                let rest = SideEffects { redeem: None, ..effects.clone() };
                let used = users.write(SideEffects { redeem: effects.redeem, ..SideEffects::default() }).await?;
                pass(1).await;
                return Ok(used && users.write(rest).await?);
            }
            Fault::SparesSiblings => {
                let before = self.database.open_of(token.user_id, at).await?;
                let used = users.write(effects).await?;
                let siblings =
                    before.into_iter().filter(|other| other.id != token.id && other.purpose == token.purpose);
                self.database.bring_back(siblings.collect()).await?;
                return Ok(used);
            }
            Fault::EndsAllOfTheUser => effects.end = end(OneTimeTokenPurpose::ALL.to_vec()),
            Fault::EndsEarlierOnes => effects.end = end(vec![token.purpose]),
            _ => {}
        }
        users.write(effects).await
    }
}

#[async_trait]
impl OneTimeTokenStore for Tokens {
    async fn write(&self, effects: SideEffects) -> Result<bool, StoreError> {
        self.database.up()?;
        let effects = self.database.prepare(effects);
        match effects.redeem.and_then(|redemption| self.database.written_token(redemption.token)) {
            Some(token) => self.use_wrongly(token, effects).await,
            None => self.database.users.write(effects).await,
        }
    }

    async fn find(
        &self,
        digest: OneTimeTokenDigest,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        if self.has(Fault::OutageIsNoToken) && self.database.up().is_err() {
            return Ok(None);
        }
        self.database.up()?;
        let at = if self.has(Fault::FindsTheExpired) { at - Duration::SECOND } else { at };
        let found = self.readable(self.database.users.find(digest, at).await?)?;
        if self.has(Fault::RemembersTokens) {
            let mut remembered = self.remembered.lock().unwrap();
            if let Some(found) = found {
                remembered.insert(digest.0, found);
            }
            return Ok(remembered.get(&digest.0).cloned());
        }
        Ok(found)
    }

    async fn find_latest(
        &self,
        sent_to: &Email,
        purpose: OneTimeTokenPurpose,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        self.database.up()?;
        if self.has(Fault::FindsTheFirstToken) || self.has(Fault::FindsWithoutACode) {
            return Ok(self.wrong_latest(sent_to, purpose));
        }
        self.readable(self.database.users.find_latest(sent_to, purpose, at).await?)
    }

    async fn open_tokens(&self, user_id: UserId, at: OffsetDateTime) -> Result<Vec<StoredOneTimeToken>, StoreError> {
        self.database.up()?;
        let mut open = Vec::new();
        for token in self.database.open_of(user_id, at).await? {
            open.extend(self.readable(Some(token))?);
        }
        if self.has(Fault::ListsOldTokensFirst) {
            open.reverse();
        }
        Ok(open)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.database.up()?;
        let bound = if self.has(Fault::PurgesTokensAtTheBound) { Duration::MICROSECOND } else { Duration::ZERO };
        let store: &dyn OneTimeTokenStore = &self.database.users;
        store.purge(before + bound, limit).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
