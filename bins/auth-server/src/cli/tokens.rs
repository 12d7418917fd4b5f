//! `auth-server token …`: what an operator does with tokens, which is to forget those that have expired.

use std::io::Write;

use auth_core::blacklist::purge_expired;
use auth_core::{BoxError, Clock as _, SystemClock};
use auth_storage::SeaRevocationLog;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::open_database;
use crate::config::Config;
use crate::tasks::{PURGE_BATCH, PURGE_PAUSE};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Remove expired entries from the blacklist now, also while servers run
    Purge,
}

impl TokenCommand {
    pub(super) async fn run(self, config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
        let Self::Purge = self;
        let database = open_database(config).await?;
        if !auth_migrations::is_current(&database.statements()).await? {
            return Err("the database is not migrated; run `auth-server migrate up`".into());
        }
        let log = SeaRevocationLog::new(database.clone());
        let bar = bar()?;
        let pause = async |removed| {
            bar.set_position(removed);
            tokio::time::sleep(PURGE_PAUSE).await;
        };
        let outcome = purge_expired(&log, SystemClock.now(), PURGE_BATCH, pause).await;
        bar.finish_and_clear();
        let removed = outcome?;
        database.close().await?;
        writeln!(out, "removed {removed} entries")?;
        Ok(())
    }
}

/// How far the purge is: on standard error, and only where that is a terminal. Nobody counts beforehand what has expired,
/// so the bar has no end.
fn bar() -> Result<ProgressBar, BoxError> {
    let style = ProgressStyle::with_template("{spinner} removed {human_pos} expired entries, {per_sec}, {elapsed}")?;
    Ok(ProgressBar::new_spinner().with_style(style))
}
