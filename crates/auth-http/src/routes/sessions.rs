//! The operations on sessions.

use std::fmt;

use auth_core::{Context, PasswordPolicy, RefreshToken, SessionId, SessionKind};

use super::answer::Answer;
use super::request::RouteRequest;
use super::response_bodies::{Done, SessionList, TokenGranted};
use super::{Routes, check_query};
use crate::code::Code;
use crate::demand::Demand;
use crate::error_answer::ErrorAnswer;
use crate::fields::{Fields, FromFields};
use crate::request::RequestHead;

/// Maximum number of sessions that a list has.
const MAX_LISTED: u32 = 100;

impl Routes {
    pub(super) async fn refresh(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
    ) -> Result<Answer, ErrorAnswer> {
        check_query(request)?;
        let Refresh { unverified_token } = self.read(request, body).await?;
        let refreshed = self.service.refresh(&unverified_token).await?;
        Ok(Answer::json(200, &TokenGranted::new("Successfully refreshed.", &refreshed)))
    }

    /// Reads the body of a request that is answered like a login, and adds the kind of session that it asks for to the
    /// context.
    pub(super) async fn read_login<T: FromFields>(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
        context: Context,
    ) -> Result<(T, Context), ErrorAnswer> {
        let WithSession { body, kind } = self.read(request, body).await?;
        match kind {
            SessionKind::Single => {}
            _ if self.service.keeps_sessions() => {}
            _ => return Err(ErrorAnswer::field("session", "must be token, because no sessions are kept here")),
        }
        Ok((body, context.with_session_kind(kind)))
    }

    pub(super) async fn list_sessions(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
    ) -> Result<Answer, ErrorAnswer> {
        let principal = self.admit(request, Demand::login()).await?;
        let sessions = self.service.list_sessions(principal.user_id(), MAX_LISTED).await?;
        Ok(Answer::json(200, &SessionList::new(&sessions, principal.session_id())))
    }

    pub(super) async fn end_session(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
    ) -> Result<Answer, ErrorAnswer> {
        let principal = self.admit(request, Demand::login()).await?;
        let id: Option<SessionId> = request.path_id.and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| ErrorAnswer::new(Code::SessionNotFound))?;
        if self.service.end_session_of(principal.user_id(), id).await? {
            Ok(Answer::empty(204))
        } else {
            Err(Code::SessionNotFound.into())
        }
    }

    pub(super) async fn logout_others(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
    ) -> Result<Answer, ErrorAnswer> {
        let principal = self.admit(request, Demand::login()).await?;
        self.service.end_other_sessions(&principal).await?;
        Ok(Answer::json(200, &Done::new("Successfully logged out all other sessions.")))
    }
}

/// A body with the member `session`: how the client keeps the login.
struct WithSession<T> {
    body: T,
    kind: SessionKind,
}

impl<T: FromFields> FromFields for WithSession<T> {
    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        // If the word is wrong, the rest of the body is refused with that error too.
        let kind = fields.parsed_or("session", SessionKind::Single, kind_of).unwrap_or_default();
        Ok(Self { body: T::from_fields(fields, policy)?, kind })
    }
}

/// The word names no way to keep a login. The text continues a sentence that begins with the name of the member.
struct UnknownWord;

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be one of: token, refresh")
    }
}

fn kind_of(word: &str) -> Result<SessionKind, UnknownWord> {
    match word {
        "token" => Ok(SessionKind::Single),
        "refresh" => Ok(SessionKind::Renewable),
        _ => Err(UnknownWord),
    }
}

/// The body of a refresh.
struct Refresh {
    unverified_token: RefreshToken,
}

impl FromFields for Refresh {
    /// Text that cannot be a refresh token gets the same error as one that is not accepted.
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        match fields.parsed("refresh_token", |text| Ok::<_, &str>(RefreshToken::parse(text))) {
            Some(Ok(unverified_token)) => Ok(Self { unverified_token }),
            Some(Err(_)) => Err(Code::SessionEnded.into()),
            None => Err(fields.into_error()),
        }
    }
}
