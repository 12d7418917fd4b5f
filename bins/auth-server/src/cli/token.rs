//! `auth-server token …`: maintenance of the blacklist of tokens, and the personal access tokens of users.

use std::io::Write;

use auth_core::blacklist::{Position, purge_expired};
use auth_core::purge::{PURGE_BATCH, PURGE_PAUSE};
use auth_core::{
    AuthService, BoxError, Clock as _, PersonalToken, PersonalTokenId, RevocationLog as _, RevocationSource as _,
    SystemClock,
};
use auth_storage::SeaRevocationLog;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::listing::{Entry, Format, print};
use super::user::{Who, rfc_3339};
use super::with_service;
use crate::app::open_tables;
use crate::config::Config;
use crate::readiness::is_migrated;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Remove expired entries from the blacklist now, also while servers run
    Purge,
    /// Make servers ready again after the log of revocations lost entries
    ///
    /// Retire the signing key first (`auth-server key retire`), or decide that the tokens whose logout was lost may live on.
    /// Servers notice within a poll; no restart is needed.
    AcknowledgeLoss,
    /// List the personal access tokens of a user that can be used, the one that was made last first
    List(List),
    /// Delete a personal access token of a user; it is refused from then on
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    who: Who,
    /// The id of the personal access token
    #[arg(value_name = "TOKEN")]
    id: PersonalTokenId,
}

impl List {
    async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let tokens = service.list_personal_tokens(self.who.id(service).await?).await?;
        Ok(print(&tokens, self.format, out)?)
    }
}

impl Delete {
    async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let user_id = self.who.id(service).await?;
        if !service.delete_personal_token(user_id, self.id).await? {
            return Err("the user has no such personal access token".into());
        }
        writeln!(out, "deleted personal access token {}", self.id)?;
        Ok(())
    }
}

impl Entry for PersonalToken {
    fn columns(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            rfc_3339(self.created_at),
            rfc_3339(self.expires_at),
            self.last_used_at.map_or_else(|| "-".to_owned(), rfc_3339),
            self.name.to_string(),
            self.names().join(" "),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "created_at": rfc_3339(self.created_at),
            "expires_at": rfc_3339(self.expires_at),
            "last_used_at": self.last_used_at.map(rfc_3339),
            "name": self.name.to_string(),
            "scopes": self.names(),
        })
    }
}

impl TokenCommand {
    pub(super) async fn run(self, config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
        match self {
            Self::Purge => {
                with_log(config, async |log| Ok(writeln!(out, "removed {} entries", purge(log).await?)?)).await
            }
            Self::AcknowledgeLoss => with_log(config, async |log| acknowledge_loss(log, out).await).await,
            Self::List(list) => with_service(config, async |service| list.run(service, out).await).await.map(drop),
            Self::Delete(delete) => {
                with_service(config, async |service| delete.run(service, out).await).await.map(drop)
            }
        }
    }
}

/// Runs `work` with the log in the database of `config`, which is closed afterwards.
async fn with_log(
    config: &Config,
    work: impl AsyncFnOnce(&SeaRevocationLog) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let (database, migrations) = open_tables(config, false).await?;
    let outcome = match is_migrated(&database, &migrations).await {
        Ok(true) => work(&SeaRevocationLog::new(database.clone())).await,
        Ok(false) => Err("the database is not migrated; run `auth-server migrate up`".into()),
        Err(error) => Err(error),
    };
    // The database is closed after an error too.
    let closed = database.close().await;
    outcome?;
    Ok(closed?)
}

async fn acknowledge_loss(log: &SeaRevocationLog, out: &mut dyn Write) -> Result<(), BoxError> {
    match log.read_after(Position(0), 1).await?.lost {
        Some(found) => {
            log.mark_loss(None).await?;
            writeln!(out, "acknowledged the loss that was found at {}", found.format(&Rfc3339)?)?;
        }
        None => writeln!(out, "no loss is recorded; nothing was changed")?,
    }
    Ok(())
}

async fn purge(log: &SeaRevocationLog) -> Result<u64, BoxError> {
    let bar = bar()?;
    let pause = async |removed| {
        bar.set_position(removed);
        tokio::time::sleep(PURGE_PAUSE).await;
    };
    let outcome = purge_expired(log, SystemClock.now(), PURGE_BATCH, pause).await;
    bar.finish_and_clear();
    Ok(outcome?)
}

/// Returns the progress bar of a purge, which is shown on standard error if that is a terminal. It has no end, because the
/// number of expired entries is not known beforehand.
fn bar() -> Result<ProgressBar, BoxError> {
    let style = ProgressStyle::with_template("{spinner} removed {human_pos} expired entries, {per_sec}, {elapsed}")?;
    Ok(ProgressBar::new_spinner().with_style(style))
}
