//! A blacklist over a log, with one fault.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::pass;
use auth_core::blacklist::{RevocationTarget, Standing};
use auth_core::{Blacklist, Claims, Clock, Revocation, RevocationLog, StoreError, StoreErrorKind};

use crate::Fault;

#[derive(Debug)]
pub(crate) struct BrokenBlacklist {
    pub(crate) fault: Fault,
    pub(crate) log: Arc<dyn RevocationLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Mutex<VecDeque<Revocation>>,
    pub(crate) waiting: Mutex<Vec<Revocation>>,
}

impl BrokenBlacklist {
    fn remembered(&self, claims: &Claims) -> Option<Revocation> {
        self.memory.lock().unwrap().iter().find(|known| known.covers(claims)).copied()
    }
}

#[async_trait]
impl Blacklist for BrokenBlacklist {
    fn peek(&self, claims: &Claims) -> Standing {
        let by_memory = if self.remembered(claims).is_some() { Standing::Revoked } else { Standing::Good };
        match self.fault {
            Fault::NeverReadsItsOwn => Standing::Good,
            Fault::AnswersBeforeWriting | Fault::EvictsForSpace | Fault::IgnoresNotes => by_memory,
            Fault::ForgetsAtTheExpiry => match self.remembered(claims) {
                Some(known) if self.clock.now() < known.expires_at => Standing::Revoked,
                Some(_) => Standing::Good,
                None => Standing::Unknown,
            },
            Fault::RefusesTheUser => {
                let of_user = |known: &Revocation| matches!(known.target, RevocationTarget::User { id, .. } if id == claims.user_id);
                if self.memory.lock().unwrap().iter().any(of_user) { Standing::Revoked } else { Standing::Unknown }
            }
            _ => Standing::Unknown,
        }
    }

    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError> {
        match self.fault {
            Fault::LooksUpInMemory => Ok(self.remembered(claims).is_some()),
            Fault::FailsOpen => Ok(self.log.covers(claims).await.unwrap_or_default()),
            _ => self.log.covers(claims).await,
        }
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        {
            let mut memory = self.memory.lock().unwrap();
            memory.push_back(revocation);
            if self.fault == Fault::EvictsForSpace && memory.len() > 256 {
                memory.pop_front();
            }
        }
        match self.fault {
            Fault::AnswersBeforeWriting => Ok(()),
            Fault::LosesTheBatch => {
                self.waiting.lock().unwrap().push(revocation);
                pass(1).await;
                if !self.waiting.lock().unwrap().contains(&revocation) {
                    return Ok(());
                }
                let batch = std::mem::take(&mut *self.waiting.lock().unwrap());
                pass(2).await;
                self.log.append(&batch).await.map(drop)
            }
            Fault::FailsTheSecondTime => match self.log.append(&[revocation]).await? {
                0 => Err(StoreError::new(StoreErrorKind::Internal, "duplicate key")),
                _ => Ok(()),
            },
            _ => self.log.append(&[revocation]).await.map(drop),
        }
    }

    fn note(&self, revocation: &Revocation) {
        if self.fault != Fault::IgnoresNotes {
            self.memory.lock().unwrap().push_back(*revocation);
        }
    }
}
