//! The command line, one module a command, and the exit codes.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success; for the server also: a signal stopped it in order, even before it served |
//! | 1 | failure while running, or standard output could not be written |
//! | 2 | the command line is not valid |
//! | 78 | the configuration cannot be used (`EX_CONFIG` of sysexits) |
//! | 130, 143 | SIGINT or SIGTERM ended the command before it was done |
//!
//! Failure to write to standard error changes no exit code.

mod client;
mod completions;
mod config;
mod confirm;
mod follow;
mod healthcheck;
mod key;
mod listing;
mod mail;
mod migrate;
mod output;
mod password;
mod serve;
mod session;
mod token;
mod user;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthService, BoxError, SystemClock};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use self::client::ClientCommand;
use self::config::ConfigCommand;
use self::key::KeyCommand;
use self::mail::MailCommand;
use self::migrate::MigrateCommand;
use self::output::{Output, chain};
use self::session::SessionCommand;
use self::token::TokenCommand;
use self::user::UserCommand;
use crate::app::App;
use crate::config::{
    Config, DATA_DIR, DOCS, ENV, FOLLOW_ISSUER, FollowConfig, LISTEN, LOG, LOG_FORMAT, MIGRATE, Problems, Sources,
};
use crate::signals::{Signals, StopSignal};
use crate::{api, telemetry};

/// `EX_CONFIG` of sysexits: the configuration cannot be used.
const EXIT_CONFIG: u8 = 78;

/// Time after a signal until a command that does not react to it is ended, such as one at a password prompt.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time that the exit of the process waits for threads with blocking work, such as the lookup of a host name.
const BLOCKING_TIMEOUT: Duration = Duration::from_secs(1);

/// Authentication whose logout means it.
///
/// Settings come from the profile, a TOML file, the environment (`AUTH_…`) and flags, each over the one before.
#[derive(Debug, Parser)]
#[command(name = "auth-server", version, about, long_about = None, after_help = "Exit codes: 0 done, 1 failed, 2 usage, 78 configuration, 130 and 143 interrupted.")]
pub struct Cli {
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct SettingFlags {
    /// The configuration file (default: `AUTH_CONFIG`)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The profile: dev, test or prod (`AUTH_ENV`)
    #[arg(long, global = true, value_name = "PROFILE")]
    env: Option<String>,
    /// Where to listen (`AUTH_LISTEN`)
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where the development profile keeps its files (`AUTH_DATA_DIR`)
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Whether to serve the API documents: on or off (`AUTH_DOCS`)
    #[arg(long, global = true, value_name = "ON/OFF")]
    docs: Option<String>,
    /// Whether to apply pending migrations at start: on or off (`AUTH_MIGRATE`)
    #[arg(long, global = true, value_name = "ON/OFF")]
    migrate: Option<String>,
    /// What to log (`AUTH_LOG`)
    #[arg(long, global = true, value_name = "DIRECTIVES")]
    log: Option<String>,
    /// How to write it: text or json (`AUTH_LOG_FORMAT`)
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server (the default)
    Serve,
    /// Check tokens for a gateway without a database, from the feed of an auth server
    Follow(Follow),
    /// Make, take back or look at the tables
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Manage the sessions of users
    #[command(subcommand)]
    Session(SessionCommand),
    /// Manage clients: machines that get tokens with a secret of their own
    #[command(subcommand)]
    Client(ClientCommand),
    /// Manage the blacklist of tokens, and the personal access tokens of users
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage the keys that sign tokens
    #[command(subcommand)]
    Key(KeyCommand),
    /// Try the mailer, or look at the letters that wait
    #[command(subcommand)]
    Mail(MailCommand),
    /// Print the `OpenAPI` document
    Openapi,
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a running server whether it is ready: exit code 0 if it is, 1 if not
    Healthcheck,
    /// Print a script that completes the commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
struct Follow {
    /// The URL of the auth server (`AUTH_FOLLOW_ISSUER`)
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

impl SettingFlags {
    fn sources(&self, follow: Option<&Follow>) -> Sources {
        let given = [
            (ENV.variable(), &self.env),
            (LISTEN.variable(), &self.listen),
            (DATA_DIR.variable, &self.data_dir),
            (DOCS.variable(), &self.docs),
            (MIGRATE.variable(), &self.migrate),
            (LOG.variable(), &self.log),
            (LOG_FORMAT.variable(), &self.log_format),
            (FOLLOW_ISSUER.variable(), follow.map_or(&None, |follow| &follow.issuer)),
        ];
        let flags: BTreeMap<&'static str, String> =
            given.into_iter().filter_map(|(variable, value)| Some((variable, value.clone()?))).collect();
        Sources::from_process(flags, self.config.clone())
    }
}

/// Runs the command of the process's command line.
#[must_use]
pub fn run() -> ExitCode {
    let _flush = telemetry::FlushAtEnd;
    let signals: Result<Signals, BoxError> =
        Signals::install().map_err(|error| format!("signals cannot be caught: {error}").into());
    let mut out = Output(io::stdout().lock());
    let outcome = signals.and_then(|signals| match Cli::try_parse() {
        Ok(cli) => cli.run(&signals, &mut out),
        Err(error) => show_usage(&error, &mut out),
    });
    match outcome.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => code,
        Err(error) => {
            let interrupted = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
            if error.downcast_ref().is_some_and(interrupted) {
                // Ctrl-C was pressed at the prompt for a password.
                return StopSignal::Interrupt.into();
            }
            let code = if error.is::<Problems>() { EXIT_CONFIG } else { 1 };
            telemetry::say(&format!("error: {}", chain(error.as_ref())));
            ExitCode::from(code)
        }
    }
}

/// Shows the error of the command line, or the help or the version that it asks for.
fn show_usage(error: &clap::Error, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
    if error.use_stderr() {
        telemetry::say(error.render().to_string().trim_end());
    } else {
        write!(out, "{}", error.render())?;
    }
    Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)))
}

impl Cli {
    fn run(self, signals: &Signals, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
        let command = self.command.unwrap_or(Command::Serve);
        // These commands work without a configuration, and with one that has errors.
        match command {
            Command::Openapi => {
                writeln!(out, "{}", api::openapi_json())?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Config(ConfigCommand::Docs) => {
                config::docs(out)?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Completions { shell } => {
                completions::write(shell, out)?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        if let Command::Follow(follow) = &command {
            let config = FollowConfig::load(self.settings.sources(Some(follow)))?;
            telemetry::start(&config.log, config.log_format)?;
            config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            return run_to_end(follow::run(config, signals));
        }
        let config = Config::load(self.settings.sources(None))?;
        match command {
            Command::Config(command) => {
                command.run(&config, out)?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Healthcheck => {
                healthcheck::run(&config)?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        telemetry::start(&config.log, config.log_format)?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        for notice in &config.notices {
            tracing::info!("{notice}");
        }
        run_to_end(command.run(&config, signals, out))
    }
}

/// Runs a command that waits for something.
fn run_to_end(command: impl Future<Output = Result<ExitCode, BoxError>>) -> Result<ExitCode, BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(BLOCKING_TIMEOUT);
    outcome
}

impl Command {
    /// Runs a command that needs a database.
    async fn run(self, config: &Config, signals: &Signals, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
        let serves = matches!(self, Self::Serve);
        if !serves {
            signals.handle_shutdown(INTERRUPT_TIMEOUT, None);
        }
        let work = async {
            match self {
                Self::Migrate(command) => command.run(config, out).await,
                Self::User(command) => with_service(config, async |service| command.run(service, out).await).await,
                Self::Client(command) => with_service(config, async |service| command.run(service, out).await).await,
                Self::Session(command) => with_service(config, async |service| command.run(service, out).await).await,
                Self::Key(command) => command.run(config, out).await.map(|()| ExitCode::SUCCESS),
                Self::Mail(command) => command.run(config, out).await.map(|()| ExitCode::SUCCESS),
                Self::Token(command) => command.run(config, out).await.map(|()| ExitCode::SUCCESS),
                _ => serve::run(config, signals).await,
            }
        };
        tokio::select! {
            biased;
            outcome = work => outcome,
            // Closing the connection undoes what the command has not committed and releases the lock of migrations.
            stop = signals.stopped(), if !serves => {
                telemetry::say(&format!("interrupted by {stop}; what was not committed is undone"));
                Ok(stop.into())
            }
        }
    }
}

/// Runs `work` with the service over the database of `config`, which is closed afterwards.
async fn with_service(
    config: &Config,
    work: impl AsyncFnOnce(&AuthService) -> Result<(), BoxError>,
) -> Result<ExitCode, BoxError> {
    let app = App::build(config, Arc::new(SystemClock)).await?;
    let outcome = work(app.service()).await;
    app.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
