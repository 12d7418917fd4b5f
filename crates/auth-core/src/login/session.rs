//! Opening and renewing the session of a login.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::signing::life;
use super::{IssuedRefreshToken, IssuedToken, SignedIn};
use crate::blacklist::RevocationReason;
use crate::context::Context;
use crate::error::{BoxError, StoreError};
use crate::events;
use crate::grants::Grants;
use crate::ids::{SessionId, TokenId, UserId};
use crate::service::{AuthService, Sessions};
use crate::session::{
    Predecessor, RefreshState, RefreshToken, Rotation, RotationSalt, Session, SessionEnd, SessionKind, SessionOptions,
    StoredSession,
};
use crate::token::Claims;
use crate::user::User;

/// Least time between two writes of [`Session::last_used_at`].
const LAST_USE_RESOLUTION: Duration = Duration::from_secs(60);

/// Reason that a session could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    Store(StoreError),
    Internal(BoxError),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BoxError> for OpenError {
    fn from(error: BoxError) -> Self {
        Self::Internal(error)
    }
}

/// Reason that a session was not refreshed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The refresh token is malformed, unknown or was used before, or its session has ended: one answer for all.
    #[error("the session has ended")]
    Ended,
    /// The token was used before, and later than the grace allows. The session was ended, because a thief may hold one of its
    /// tokens. The client must get the answer of [`Ended`](Self::Ended).
    #[error("a refresh token of session {session_id} of user {user_id} was used a second time")]
    Reused {
        /// The user of the session.
        user_id: UserId,
        /// The session.
        session_id: SessionId,
    },
    /// A store failed. The session may have been refreshed all the same; the same refresh token may be tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signing failed.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

impl AuthService {
    /// Opens the session of a login, if sessions are kept, and signs its first access token.
    pub(crate) async fn open_session(&self, user: User, context: &Context) -> Result<SignedIn, OpenError> {
        let now = self.now();
        let Some(sessions) = &self.parts.sessions else {
            let (issued_at, token_id) = (whole_second(now)?, TokenId::generate().map_err(BoxError::from)?);
            let expires_at = issued_at + self.parts.token_life;
            let grants = self.grants_of(&user).await?;
            let token = self.sign_for_user(&user, grants, None, token_id, issued_at, expires_at)?;
            return Ok(SignedIn { user, token, session: None, refresh: None });
        };
        let id = SessionId::generate().map_err(BoxError::from)?;
        let (first, life, idle, absolute) = match context.session_kind() {
            SessionKind::Single => {
                let life = self.parts.token_life;
                (None, life, life, life)
            }
            SessionKind::Renewable => {
                let SessionOptions { access_life, idle, absolute, .. } = sessions.options;
                (Some(RefreshToken::first(id).map_err(BoxError::from)?), access_life, idle, absolute)
            }
        };
        let issued_at = whole_second(now)?;
        let details = sessions.options.details.then_some(context);
        let session = Session {
            id,
            user_id: user.id,
            generation: user.generation,
            created_at: now,
            last_used_at: now,
            idle_until: issued_at + idle,
            ends_at: issued_at + absolute,
            user_agent: details.and_then(|context| Some(shortened(context.user_agent()?))),
            network: details.and_then(|context| Some(context.network()?.to_string())),
            ended: None,
        };
        let refresh = first.as_ref().map(|token| RefreshState {
            family: token.family_digest(),
            current: token.own_digest(),
            predecessor: None,
        });
        let stored = StoredSession { session: session.clone(), access_expires_at: issued_at + life, refresh };
        // The only token of a session has the id of the session, so that its own entry in the log ends both.
        let token_id = match &first {
            Some(_) => TokenId::generate().map_err(BoxError::from)?,
            None => TokenId::from(id.as_uuid()),
        };
        let grants = self.grants_of(&user).await?;
        let token = self.sign_for_user(&user, grants, Some(id), token_id, issued_at, issued_at + life)?;
        sessions.store.insert(stored).await?;
        sessions.counts.opened(context.session_kind());
        let refresh = first.map(|token| IssuedRefreshToken { token, expires_in: idle.min(absolute) });
        Ok(SignedIn { user, token, session: Some(session), refresh })
    }

    /// Exchanges a refresh token for a new access token and the next refresh token.
    ///
    /// A refresh token is used once. The predecessor of the current one is accepted again for a short
    /// [grace](SessionOptions::grace) and gets the same successor, because an answer can be lost and two tabs can refresh at
    /// once. An older one was stolen, or its successor was: the session ends with all its access tokens.
    ///
    /// # Errors
    ///
    /// [`RefreshError::Ended`] and [`RefreshError::Reused`] when the client has to log in again. Otherwise when a part failed.
    pub async fn refresh(&self, unverified_token: &RefreshToken) -> Result<SignedIn, RefreshError> {
        let sessions = self.parts.sessions.as_ref().ok_or(RefreshError::Ended)?;
        let refreshed = self.exchange(sessions, unverified_token).await;
        match &refreshed {
            Err(RefreshError::Ended) => sessions.counts.refused(),
            Err(RefreshError::Reused { user_id, session_id }) => events::refresh_reuse(*user_id, *session_id),
            _ => {}
        }
        refreshed
    }

    async fn exchange(&self, sessions: &Sessions, unverified_token: &RefreshToken) -> Result<SignedIn, RefreshError> {
        let id = unverified_token.unverified_session_id();
        let own = unverified_token.own_digest();
        loop {
            // Find.
            let stored = sessions.store.find(id).await?.ok_or(RefreshError::Ended)?;
            let refresh = stored.refresh.ok_or(RefreshError::Ended)?;
            if refresh.family != unverified_token.family_digest() {
                return Err(RefreshError::Ended);
            }
            // From here on the caller is known to have had a token of this session.
            let user = self.parts.users.find_by_id(stored.session.user_id).await?.ok_or(RefreshError::Ended)?;
            let now = self.now();
            if user.disabled_at.is_some() || !stored.session.is_live(now, user.generation) {
                return Err(RefreshError::Ended);
            }
            // Decide.
            if refresh.current == own {
                let issued_at = whole_second(now).map_err(RefreshError::Internal)?;
                // Before the token is used up: the client can try again if the application fails.
                let grants = self.grants_of(&user).await.map_err(RefreshError::Internal)?;
                let salt = RotationSalt::generate().map_err(|error| RefreshError::Internal(error.into()))?;
                let successor = unverified_token.successor(salt);
                let idle_until = (issued_at + sessions.options.idle).min(stored.session.ends_at);
                let access_expires_at = (issued_at + sessions.options.access_life).min(idle_until);
                let idle_since = now - stored.session.last_used_at;
                let last_used_at = if idle_since >= LAST_USE_RESOLUTION { now } else { stored.session.last_used_at };
                let rotation = Rotation {
                    used: own,
                    successor: successor.own_digest(),
                    salt,
                    at: now,
                    last_used_at,
                    idle_until,
                    access_expires_at,
                };
                if sessions.store.rotate(id, rotation).await? {
                    sessions.counts.refreshed();
                    let session = Session { last_used_at, idle_until, ..stored.session };
                    return self.renewed(user, grants, session, successor, issued_at, access_expires_at);
                }
                // Another caller used the token at the same time, or the session ended. The next look tells.
                continue;
            }
            match refresh.predecessor {
                Some(Predecessor { own: before, salt, used_at })
                    if before == own && now < used_at + sessions.options.grace =>
                {
                    sessions.counts.repeated();
                    let successor = unverified_token.successor(salt);
                    let issued_at = whole_second(now).map_err(RefreshError::Internal)?;
                    // No later than the store was told of: the end of the session must outlive every access token.
                    let grants = self.grants_of(&user).await.map_err(RefreshError::Internal)?;
                    return self.renewed(user, grants, stored.session, successor, issued_at, stored.access_expires_at);
                }
                _ => {
                    let end = SessionEnd { at: now, reason: RevocationReason::RefreshReuse };
                    self.end_session(id, end).await?;
                    return Err(RefreshError::Reused { user_id: user.id, session_id: id });
                }
            }
        }
    }

    fn renewed(
        &self,
        user: User,
        grants: Option<Arc<Grants>>,
        session: Session,
        successor: RefreshToken,
        issued_at: OffsetDateTime,
        access_expires_at: OffsetDateTime,
    ) -> Result<SignedIn, RefreshError> {
        let internal = RefreshError::Internal;
        let token_id = TokenId::generate().map_err(|error| internal(error.into()))?;
        let token = self
            .sign_for_user(&user, grants, Some(session.id), token_id, issued_at, access_expires_at)
            .map_err(internal)?;
        let expires_in = life(issued_at, session.idle_until.min(session.ends_at));
        let refresh = IssuedRefreshToken { token: successor, expires_in };
        Ok(SignedIn { user, token, session: Some(session), refresh: Some(refresh) })
    }

    /// Ends a session durably, and refuses its access tokens from now on. Returns whether there is such a session.
    pub(crate) async fn end_session(&self, id: SessionId, end: SessionEnd) -> Result<bool, StoreError> {
        let Some(sessions) = &self.parts.sessions else { return Ok(false) };
        let entry = sessions.store.end(id, end).await?;
        if let Some(entry) = &entry {
            self.parts.blacklist.note(entry);
            // Another caller may have ended it first.
            if entry.reason == end.reason {
                sessions.counts.ended(end.reason);
            }
        }
        Ok(entry.is_some())
    }

    /// Signs the access token of a user.
    fn sign_for_user(
        &self,
        user: &User,
        grants: Option<Arc<Grants>>,
        session_id: Option<SessionId>,
        token_id: TokenId,
        issued_at: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Result<IssuedToken, BoxError> {
        let claims = Claims {
            user_id: user.id,
            token_id,
            session_id,
            issued_at,
            expires_at,
            generation: user.generation,
            admin: user.admin,
            key_id: None,
            grants,
        };
        self.sign(&claims)
    }
}

/// Returns a user agent without what is more than a store keeps.
fn shortened(user_agent: &str) -> String {
    user_agent.chars().take(Session::MAX_USER_AGENT_CHARS).collect()
}

fn whole_second(instant: OffsetDateTime) -> Result<OffsetDateTime, BoxError> {
    Ok(instant.replace_nanosecond(0)?)
}
