//! `auth-server migrate …`: creates, removes and lists the tables.

use std::io::{self, Write};
use std::process::ExitCode;

use auth_core::BoxError;
use auth_migrations::{Removal, Removed, Status};
use auth_storage::Database;
use clap::Subcommand;
use serde_json::{Value, json};

use super::confirm::{Action, confirm};
use super::listing::{Entry, Format, print};
use crate::app::{AppError, open_database};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Apply every migration that is not applied yet
    Up,
    /// Take back migrations, with all data in what they made; says what will be deleted and asks
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
        /// Do not ask; needed where standard input is not a terminal
        #[arg(long)]
        yes: bool,
    },
    /// List the migrations: exit code 0 if all are applied and the tables are sound, 1 if not
    Status(Format),
}

impl MigrateCommand {
    pub(super) async fn run(self, config: &Config, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
        let database = open_database(config).await?;
        let outcome = self.run_on(&database, config, out).await;
        // The database is closed after an error too.
        let closed = database.close().await;
        let code = outcome?;
        closed?;
        Ok(code)
    }

    async fn run_on(self, database: &Database, config: &Config, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
        let (connection, statements) = (database.connection(), &database.statements());
        let migrations = &config.tables;
        match self {
            Self::Up => drop(migrations.up(connection).await.map_err(AppError::from)?),
            Self::Down { steps, yes } => {
                let removals = migrations.removals(statements, steps).await.map_err(AppError::from)?;
                show(&removals, out)?;
                if !yes && !removals.is_empty() {
                    confirm(Action::Delete).await?;
                }
                migrations.down(connection, steps).await.map_err(AppError::from)?;
            }
            Self::Status(_) => {}
        }
        let status = migrations.status(statements).await.map_err(AppError::from)?;
        let format = if let Self::Status(format) = self { format } else { Format::default() };
        print(&status, format, out)?;
        let sound =
            !matches!(self, Self::Status(_)) || migrations.is_current(statements).await.map_err(AppError::from)?;
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Entry for Status {
    fn columns(&self) -> Vec<String> {
        vec![format!("{:<8} {}", if self.applied { "applied" } else { "pending" }, self.name)]
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "applied": self.applied })
    }
}

fn show(removals: &[Removal], out: &mut dyn Write) -> io::Result<()> {
    for Removal { migration, table, what } in removals {
        match what {
            Removed::Table { rows } => writeln!(out, "deletes  {migration}: the table {table} with {rows} rows"),
            Removed::Columns(columns) => {
                writeln!(out, "deletes  {migration}: of the table {table} the columns {}", columns.join(", "))
            }
            Removed::NotOurs(differences) => {
                writeln!(out, "leaves   {migration}: the table {table}, which is not ours: {}", differences.join(", "))
            }
            _ => writeln!(out, "changes  {migration}: the table {table}"),
        }?;
    }
    out.flush()
}
