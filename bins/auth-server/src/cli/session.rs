//! `auth-server session …`: management of sessions.

use std::io::Write;

use auth_core::{AccountError, AuthService, BoxError, Session, SessionId};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::listing::{Entry, Format, print};
use super::user::{PAGE, Who, rfc_3339};

/// Largest number of sessions that are listed.
const MAX_LISTED: u32 = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List the sessions of a user that can be used, the one that was used last first
    List(List),
    /// End a session of a user, or all tokens of the user
    End(End),
    /// End every token of every user, as after the restore of a backup, in which sessions live that have ended since
    EndAll,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    format: Format,
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
            Self::List(List { who, format }) => {
                let sessions = service.list_sessions(who.id(service).await?, MAX_LISTED).await?;
                Ok(print(&sessions, format, out)?)
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

impl Entry for Session {
    fn columns(&self) -> Vec<String> {
        let shown = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
        vec![
            self.id.to_string(),
            rfc_3339(self.created_at),
            rfc_3339(self.last_used_at),
            rfc_3339(self.idle_until.min(self.ends_at)),
            shown(&self.network),
            shown(&self.user_agent),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "created_at": rfc_3339(self.created_at),
            "last_used_at": rfc_3339(self.last_used_at),
            "expires_at": rfc_3339(self.idle_until.min(self.ends_at)),
            "network": self.network,
            "user_agent": self.user_agent,
        })
    }
}
