//! `auth-server migrate …`: creates, removes and lists the tables.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use auth_core::BoxError;
use auth_migrations::{Removal, Removed};
use auth_storage::Database;
use clap::Subcommand;
use tokio::task::spawn_blocking;

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
    Status,
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
                    // On a thread of its own, so that a signal interrupts the question.
                    spawn_blocking(|| confirm(&mut io::stdin().lock(), io::stdin().is_terminal())).await??;
                }
                migrations.down(connection, steps).await.map_err(AppError::from)?;
            }
            Self::Status => {}
        }
        let status = migrations.status(statements).await.map_err(AppError::from)?;
        for migration in &status {
            writeln!(out, "{:<8} {}", if migration.applied { "applied" } else { "pending" }, migration.name)?;
        }
        let sound = !matches!(self, Self::Status) || migrations.is_current(statements).await.map_err(AppError::from)?;
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

/// Asks for confirmation.
///
/// # Errors
///
/// Standard input is no terminal, or the answer is not `yes`.
fn confirm(answers: &mut impl BufRead, terminal: bool) -> Result<(), BoxError> {
    if !terminal {
        return Err("nothing was deleted: pass --yes to delete this without being asked".into());
    }
    write!(io::stderr(), "Delete this? Type yes: ")?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err("nothing was deleted".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_yes_at_a_terminal_deletes() {
        confirm(&mut "yes\n".as_bytes(), true).unwrap();
        for answer in ["", "\n", "y\n", "no\n"] {
            assert_eq!(confirm(&mut answer.as_bytes(), true).unwrap_err().to_string(), "nothing was deleted");
        }
        assert!(confirm(&mut "yes\n".as_bytes(), false).unwrap_err().to_string().contains("--yes"));
    }
}
