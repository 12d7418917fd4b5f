//! `auth-server session …`: management of sessions.

use std::io::Write;

use auth_core::{AccountError, AuthService, BoxError, Session, SessionId};
use clap::{Args, Subcommand};
use time::format_description::well_known::Rfc3339;

use super::user::{PAGE, Who};

/// Largest number of sessions that are listed.
const MAX_LISTED: u32 = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List the sessions of a user that can be used, the one that was used last first
    List(Who),
    /// End a session of a user, or all tokens of the user
    End(End),
    /// End every token of every user, as after the restore of a backup, in which sessions live that have ended since
    EndAll,
}

#[derive(Debug, Args)]
pub(super) struct End {
    #[command(flatten)]
    who: Who,
    /// The id of the session; without it every token of the user ends
    #[arg(value_name = "SESSION")]
    id: Option<SessionId>,
}

impl SessionCommand {
    pub(super) async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        match self {
            Self::List(who) => {
                let sessions = service.list_sessions(who.id(service).await?, MAX_LISTED).await?;
                sessions.iter().try_for_each(|session| write_session(out, session))
            }
            Self::End(end) => end.run(service, out).await,
            Self::EndAll => end_all(service, out).await,
        }
    }
}

impl End {
    async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let user_id = self.who.id(service).await?;
        match self.id {
            Some(id) if service.end_session_of(user_id, id).await? => writeln!(out, "ended session {id}")?,
            Some(_) => return Err("the user has no such session".into()),
            None => {
                service.logout_everywhere(user_id).await?;
                writeln!(out, "ended every token of user {user_id}")?;
            }
        }
        Ok(())
    }
}

/// Ends every token of every user. A user who is removed meanwhile is left out.
async fn end_all(service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
    let (mut after, mut ended) = (None, 0_u64);
    loop {
        let users = service.list_users(after, PAGE).await?;
        let Some(last) = users.last() else { break };
        after = Some(last.id);
        for user in &users {
            match service.logout_everywhere(user.id).await {
                Ok(_) => ended += 1,
                Err(AccountError::UserNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    writeln!(out, "ended every token of {ended} users")?;
    Ok(())
}

fn write_session(out: &mut dyn Write, session: &Session) -> Result<(), BoxError> {
    let until = session.idle_until.min(session.ends_at).format(&Rfc3339)?;
    let (created, used) = (session.created_at.format(&Rfc3339)?, session.last_used_at.format(&Rfc3339)?);
    let network = session.network.as_deref().unwrap_or("-");
    let user_agent = session.user_agent.as_deref().unwrap_or("-");
    writeln!(out, "{}\t{created}\t{used}\t{until}\t{network}\t{user_agent}", session.id)?;
    Ok(())
}
