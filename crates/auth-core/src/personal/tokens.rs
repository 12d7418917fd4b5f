//! [`PersonalTokens`], which checks personal tokens.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use time::OffsetDateTime;

use super::flights::Flights;
use super::lane::Lane;
use super::memory::Memory;
use super::{
    LOOK_UP_LIFE, MAX_REMEMBERED_TOKENS, PersonalToken, PersonalTokenDigest, PersonalTokenOptions, PersonalTokenStore,
};
use crate::clock::Clock;
use crate::error::{BoxError, StoreError, StoreErrorKind};
use crate::events;
use crate::grants::{ADMIN, Grants, Roles, Scopes, TokenKind};
use crate::ids::PersonalTokenId;
use crate::rehash::{BackgroundTask, Spawner};
use crate::token::{Claims, LEEWAY};
use crate::user::{User, UserStore};

/// Number of look-ups of tokens in memory that run at once.
const KNOWN_RUNNING: usize = 8;

/// Number of look-ups of tokens that are not in memory that run at once.
const UNKNOWN_RUNNING: usize = 4;

/// Reader of personal tokens, with a bounded memory of those that were used lately.
///
/// Memory is only a copy of what a look-up found, and that is good for 15 minutes. Whether a token was ended meanwhile is what
/// the blacklist says, as for every other token. So a token that gave way to others costs one look-up, and never becomes good or
/// bad by it.
///
/// Look-ups of one token share one read. At most 4 look-ups of tokens that memory does not know run at once, and 8 of tokens that it
/// knows. So a flood of made-up tokens neither fills the pool of connections nor holds up the tokens in use.
pub struct PersonalTokens {
    store: Arc<dyn PersonalTokenStore>,
    users: Arc<dyn UserStore>,
    clock: Arc<dyn Clock>,
    options: PersonalTokenOptions,
    background: Option<Spawner>,
    memory: Memory,
    flights: Flights<Result<LookUpResult, StoreError>>,
    /// Look-ups of tokens that memory knows.
    known: Lane,
    unknown: Lane,
    look_ups: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// Counts of the look-ups of a [`PersonalTokens`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersonalTokenStats {
    /// Number of tokens in memory.
    pub remembered: usize,
    /// Number of look-ups in the store so far.
    pub look_ups: u64,
    /// Number of look-ups so far that found no token that can be used.
    pub refused: u64,
    /// Number of look-ups so far that failed, or that were refused because too many were waiting.
    pub failed: u64,
}

/// Result of a look-up.
#[derive(Debug, Clone)]
pub(crate) enum LookUpResult {
    /// There is no such token.
    Unknown,
    /// The token has expired.
    Expired,
    /// The user has ended it with all other tokens, is disabled or does not exist any more.
    Ended,
    /// The token can be used with these claims, unless an entry of the log covers them.
    Usable(Claims),
}

impl PersonalTokens {
    /// Returns a reader of the tokens in `store`, whose owners are in `users`.
    #[must_use]
    pub fn new(
        store: Arc<dyn PersonalTokenStore>,
        users: Arc<dyn UserStore>,
        clock: Arc<dyn Clock>,
        options: PersonalTokenOptions,
    ) -> Self {
        Self {
            memory: Memory::new(options.memory.min(MAX_REMEMBERED_TOKENS)),
            store,
            users,
            clock,
            options,
            background: None,
            flights: Flights::new(),
            known: Lane::new(KNOWN_RUNNING),
            unknown: Lane::new(UNKNOWN_RUNNING),
            look_ups: AtomicU64::default(),
            refused: AtomicU64::default(),
            failed: AtomicU64::default(),
        }
    }

    /// Records the time of a use in the background. Otherwise the caller of the check waits for it, once in 15 minutes.
    pub(crate) fn with_background(self, background: Option<Spawner>) -> Self {
        Self { background, ..self }
    }

    /// Returns the counts.
    #[must_use]
    pub fn stats(&self) -> PersonalTokenStats {
        PersonalTokenStats {
            remembered: self.memory.len(),
            look_ups: self.look_ups.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn store(&self) -> &dyn PersonalTokenStore {
        self.store.as_ref()
    }

    /// Returns the scopes that a token may have without any role.
    pub(crate) fn user_scopes(&self) -> &Scopes {
        &self.options.user_scopes
    }

    /// Returns the claims that a look-up found a short time ago.
    pub(crate) fn remembered(&self, digest: &PersonalTokenDigest) -> Option<Claims> {
        self.memory.find(digest).filter(|claims| !claims.expired_at(self.clock.now()))
    }

    /// Looks a token up in the store.
    pub(crate) async fn look_up(&self, digest: PersonalTokenDigest) -> Result<LookUpResult, StoreError> {
        let mut unrecorded = None;
        let found = self.flights.share(digest, self.read(digest, &mut unrecorded)).await;
        if let Some((id, at)) = unrecorded {
            let store = Arc::clone(&self.store);
            let record: BackgroundTask = Box::pin(async move {
                if let Err(error) = store.record_use(id, at).await {
                    events::personal_use_unrecorded(id, &error);
                }
            });
            match &self.background {
                Some(spawner) => spawner.spawn(record),
                None => record.await,
            }
        }
        found
    }

    /// Reads a token and its owner, and remembers what they allow.
    async fn read(
        &self,
        digest: PersonalTokenDigest,
        unrecorded: &mut Option<(PersonalTokenId, OffsetDateTime)>,
    ) -> Result<LookUpResult, StoreError> {
        let found = self.find(digest).await;
        self.look_ups.fetch_add(1, Ordering::Relaxed);
        match &found {
            Ok((LookUpResult::Usable(claims), token)) => {
                self.memory.remember(digest, claims.clone());
                *unrecorded = token.as_ref().and_then(|token| {
                    let is_due = token.last_used_at.is_none_or(|last| claims.issued_at >= last + LOOK_UP_LIFE);
                    is_due.then_some((token.id, claims.issued_at))
                });
            }
            Ok(_) => {
                self.memory.forget(&digest);
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
        found.map(|(found, _)| found)
    }

    async fn find(&self, digest: PersonalTokenDigest) -> Result<(LookUpResult, Option<PersonalToken>), StoreError> {
        let lane = if self.memory.find(&digest).is_some() { &self.known } else { &self.unknown };
        let _permit = lane.enter().await?;
        let found = self.find_in_store(digest).await;
        if found.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unavailable) {
            lane.note_outage();
        }
        found
    }

    async fn find_in_store(
        &self,
        digest: PersonalTokenDigest,
    ) -> Result<(LookUpResult, Option<PersonalToken>), StoreError> {
        // Before the reads: claims must expire before an entry that ends them, which may be appended while this waits.
        let now = self.clock.now();
        let Some(token) = self.store.find(digest).await? else { return Ok((LookUpResult::Unknown, None)) };
        if now >= token.expires_at + LEEWAY {
            return Ok((LookUpResult::Expired, None));
        }
        let user = self.users.find_by_id(token.user_id).await?;
        let owner = user.filter(|user| user.disabled_at.is_none() && user.generation == token.generation);
        let Some(owner) = owner else { return Ok((LookUpResult::Ended, None)) };
        let claims = self.claims(&token, &owner, now).await;
        let claims = claims.map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        Ok((LookUpResult::Usable(claims), Some(token)))
    }

    /// Returns the virtual claims of a token, which allow what its owner has at this moment of what the token names.
    async fn claims(&self, token: &PersonalToken, owner: &User, now: OffsetDateTime) -> Result<Claims, BoxError> {
        let extra = match &self.options.claims_source {
            Some(source) => source.claims(owner).await?,
            None => None,
        };
        let roles = Roles::of(owner.roles.iter().filter(|role| token.roles.contains(role.as_str())).cloned())?;
        let granted = token.scopes.iter().filter(|scope| self.options.user_scopes.contains(scope.as_str()));
        let scopes = Scopes::of(granted.cloned())?;
        let grants = Grants { kind: TokenKind::Personal, roles, scopes, extra };
        let issued_at = now.replace_nanosecond(0)?;
        Ok(Claims {
            user_id: owner.id,
            token_id: token.id.token_id(),
            session_id: Some(token.id.session()),
            issued_at,
            expires_at: token.expires_at.min(issued_at + LOOK_UP_LIFE),
            generation: token.generation,
            admin: owner.admin && token.roles.contains(ADMIN),
            key_id: None,
            grants: Some(Arc::new(grants)),
        })
    }
}

impl fmt::Debug for PersonalTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalTokens")
            .field("store", &self.store)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
