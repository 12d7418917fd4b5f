//! The command line: what can be asked of the program, and which exit code says what.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | it was done; for the server also: a signal stopped it in order, even before it served |
//! | 1 | it failed while running, or its output could not be written |
//! | 2 | the command line makes no sense |
//! | 78 | the configuration cannot be used (`EX_CONFIG` of sysexits) |
//! | 130, 143 | SIGINT or SIGTERM ended it before it was done |
//!
//! That nothing can be written to standard error changes no exit code.

mod keys;
mod migrate;
mod serve;
mod tokens;
mod users;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{BoxError, SystemClock};
use clap::{Args, Parser, Subcommand};
use zeroize::Zeroizing;

use crate::app::App;
use crate::config::{Config, Problems, Setting, Sources};
use crate::signals::{Signals, Stop};
use crate::{api, telemetry};

/// `EX_CONFIG` of sysexits: the configuration cannot be used.
const EXIT_CONFIG: u8 = 78;

/// Time after a signal until a command that cannot react to it is ended, such as one at a password prompt.
const INTERRUPTED_PATIENCE: Duration = Duration::from_secs(2);

/// Time that the exit of the process waits for threads with blocking work, such as the lookup of a host name.
const BLOCKING_PATIENCE: Duration = Duration::from_secs(1);

/// How long the health check waits for an answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

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
    /// Make, take back or look at the tables
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Manage users
    #[command(subcommand)]
    User(users::UserCommand),
    /// Manage the blacklist of tokens
    #[command(subcommand)]
    Token(tokens::TokenCommand),
    /// Manage the key that signs tokens
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Print the `OpenAPI` document
    Openapi,
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a running server whether it is ready: exit code 0 if it is, 1 if not
    Healthcheck,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report everything that is wrong
    Check,
    /// Print the effective settings; secrets are redacted
    Show,
}

impl SettingFlags {
    fn sources(&self) -> Sources {
        let given = [
            (Setting::Env, &self.env),
            (Setting::Listen, &self.listen),
            (Setting::DataDir, &self.data_dir),
            (Setting::Docs, &self.docs),
            (Setting::Migrate, &self.migrate),
            (Setting::Log, &self.log),
            (Setting::LogFormat, &self.log_format),
        ];
        let flags: BTreeMap<Setting, String> =
            given.into_iter().filter_map(|(setting, value)| Some((setting, value.clone()?))).collect();
        Sources::from_process(flags, self.config.clone())
    }
}

/// Does what the command line of the process asks for.
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
                // Ctrl-C at the prompt for a password.
                return Stop::Interrupt.into();
            }
            let code = if error.is::<Problems>() { EXIT_CONFIG } else { 1 };
            telemetry::say(&format!("error: {}", chain(error.as_ref())));
            ExitCode::from(code)
        }
    }
}

/// Shows what is wrong with the command line, or the help or the version that it asks for.
fn show_usage(error: &clap::Error, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
    if error.use_stderr() {
        telemetry::say(error.render().to_string().trim_end());
    } else {
        write!(out, "{}", error.render())?;
    }
    Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)))
}

/// Standard output, whose errors say what they are about.
struct Output<W>(W);

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(about_output)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(about_output)
    }
}

fn about_output(error: io::Error) -> io::Error {
    match error.kind() {
        // What repeats the call must go on to see it.
        io::ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, format!("cannot write to standard output: {error}")),
    }
}

impl Cli {
    fn run(self, signals: &Signals, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
        let command = self.command.unwrap_or(Command::Serve);
        if let Command::Openapi = command {
            writeln!(out, "{}", api::openapi_json())?;
            return Ok(ExitCode::SUCCESS);
        }
        let config = Config::load(self.settings.sources())?;
        match command {
            Command::Config(command) => {
                command.run(&config, out)?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Healthcheck => {
                let health = config.health_listen.map(|address| (address, Setting::HealthListen));
                let (address, setting) = health.unwrap_or((config.listen, Setting::Listen));
                healthcheck(address).map_err(|error| format!("{address} ({}): {error}", setting.variable()))?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        telemetry::start(&config)?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if let Command::Key(command) = command {
            command.run(&config, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(command.run(&config, signals, out));
        runtime.shutdown_timeout(BLOCKING_PATIENCE);
        outcome
    }
}

impl Command {
    /// Does what needs a database.
    async fn run(self, config: &Config, signals: &Signals, out: &mut dyn Write) -> Result<ExitCode, BoxError> {
        let serves = matches!(self, Self::Serve);
        if !serves {
            signals.take_charge(INTERRUPTED_PATIENCE, None);
        }
        let work = async {
            match self {
                Self::Migrate(command) => command.run(config, out).await,
                Self::User(command) => {
                    let app = App::build(config, Arc::new(SystemClock)).await?;
                    let outcome = command.run(app.service(), out).await;
                    app.close().await;
                    outcome.map(|()| ExitCode::SUCCESS)
                }
                Self::Token(command) => command.run(config, out).await.map(|()| ExitCode::SUCCESS),
                _ => serve::run(config, signals).await,
            }
        };
        tokio::select! {
            biased;
            outcome = work => outcome,
            // With its connection ends what a command has not committed, and the lock of migrations.
            stop = signals.stopped(), if !serves => {
                telemetry::say(&format!("interrupted by {stop}; what was not committed is undone"));
                Ok(stop.into())
            }
        }
    }
}

impl ConfigCommand {
    fn run(&self, config: &Config, out: &mut dyn Write) -> io::Result<()> {
        for warning in &config.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        match self {
            Self::Check => writeln!(out, "the configuration of the {} profile is good", config.profile),
            Self::Show => config.shown().iter().try_for_each(|shown| {
                writeln!(out, "{} = {}  # {}", shown.setting.variable(), shown.value, shown.origin)
            }),
        }
    }
}

/// Asks the server that listens on `address` whether it is ready, with as little as that takes.
fn healthcheck(address: SocketAddr) -> Result<(), BoxError> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), HEALTHCHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    stream.set_write_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = Vec::new();
    stream.take(64).read_to_end(&mut status)?;
    if status.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("the server is not ready".into()) }
}

/// Reads a new password: asked for twice without echo at a terminal, else the first line of standard input.
fn read_password(from_stdin: bool) -> io::Result<Zeroizing<String>> {
    if !from_stdin && io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").map(Zeroizing::new)?;
        let again = rpassword::prompt_password("The same again: ").map(Zeroizing::new)?;
        return if *password == *again { Ok(password) } else { Err(io::Error::other("the two passwords differ")) };
    }
    let line = first_line(&mut io::stdin().lock());
    line.map_err(|error| io::Error::new(error.kind(), format!("the password cannot be read: {error}")))
}

fn first_line(input: &mut impl BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(1024));
    input.read_line(&mut line)?;
    let end = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(end);
    Ok(line)
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        // A transparent error says what its source says.
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
