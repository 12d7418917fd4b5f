//! `auth-server mail …`: a try of the mailer, and the letters that wait.

use std::io::Write;

use auth_core::letters::{LetterId, QueuedLetter};
use auth_core::{BoxError, Clock as _, Email, Language, Outbox as _, SystemClock};
use auth_storage::SeaOutbox;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::listing::{Entry, Format, print};
use super::user::rfc_3339;
use crate::app::{mailer, open_tables};
use crate::config::{Config, MAIL};
use crate::readiness::is_migrated;

/// Largest number of letters that are listed.
const MAX_LISTED: u32 = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum MailCommand {
    /// Send a letter without a link, past the queue, to see whether letters arrive
    Test(Test),
    /// List the letters that wait to be sent, those that are due first at the front
    Queue(Format),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The e-mail address
    #[arg(value_name = "ADDRESS")]
    to: String,
    /// The language of the letter
    #[arg(long, value_name = "TAG", default_value = "en")]
    language: Language,
}

impl MailCommand {
    pub(super) async fn run(self, config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
        match self {
            Self::Test(test) => test.run(config, out).await,
            Self::Queue(format) => queue(config, format, out).await,
        }
    }
}

impl Test {
    async fn run(self, config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
        let Some(settings) = &config.mail else {
            return Err(format!("no letters are sent; set {}", MAIL.variable).into());
        };
        let to = Email::parse(&self.to).map_err(|rule| format!("ADDRESS {rule}"))?;
        let letter = settings.composer.test(LetterId::generate()?, &to, &self.language, SystemClock.now())?;
        mailer(settings)?.deliver(&letter).await?;
        writeln!(out, "sent a letter to {to} by {}", settings.url)?;
        Ok(())
    }
}

async fn queue(config: &Config, format: Format, out: &mut dyn Write) -> Result<(), BoxError> {
    let (database, migrations) = open_tables(config, false).await?;
    let letters = async {
        if !is_migrated(&database, &migrations).await? {
            return Err("the database is not migrated; run `auth-server migrate up`".into());
        }
        Ok::<_, BoxError>(SeaOutbox::new(database.clone()).queue(MAX_LISTED).await?)
    };
    let letters = letters.await;
    // The database is closed after an error too.
    let closed = database.close().await;
    print(&letters?, format, out)?;
    Ok(closed?)
}

impl Entry for QueuedLetter {
    fn columns(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.kind.as_str().to_owned(),
            self.user_id.to_string(),
            self.to.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            rfc_3339(self.created_at),
            rfc_3339(self.due_at),
            self.attempts.to_string(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "kind": self.kind.as_str(),
            "user_id": self.user_id.to_string(),
            "to": self.to.as_ref().map(Email::as_str),
            "created_at": rfc_3339(self.created_at),
            "due_at": rfc_3339(self.due_at),
            "attempts": self.attempts,
        })
    }
}
