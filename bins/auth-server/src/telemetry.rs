//! Logs: to standard error, as text for people or as one JSON object a line.
//!
//! A log that cannot be written never changes what the process does, see [`lost_lines`].

mod line_limit;
mod lines;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) use self::line_limit::LineLimit;
use self::lines::{Lines, Panicked};
use crate::config::{Config, LogFormat};

/// Targets of this repository, which write no secrets at any level.
const OURS: &str = "auth_";

/// The database libraries. At finer levels they write statements with their values.
const DATABASE: [&str; 2] = ["sqlx", "sea_orm"];

/// Time that the exit of the process waits for the last lines to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// The lines of this process.
static LINES: Lines = Lines::new();

/// Starts logging as `config` says. The first call of the process wins.
///
/// # Errors
///
/// When the thread that writes cannot be started.
pub fn start(config: &Config) -> io::Result<()> {
    LINES.start()?;
    let filter = EnvFilter::new(&config.log);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line).log_internal_errors(false);
    let no_secrets = filter_fn(may_be_written);
    // A second start, as in tests, keeps the first one's.
    let _ = match config.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).finish().with(no_secrets).try_init(),
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            builder.finish().with(no_secrets).try_init()
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message").to_owned();
        LINES.push_panic(Panicked { place, message });
    }));
    Ok(())
}

/// Writes `line` to standard error beside the log. That it cannot be written changes nothing.
pub fn say(line: &str) {
    let line = format!("{line}\n");
    match LINES.start() {
        Ok(()) => LINES.push(line.as_bytes()),
        // Without a thread that writes the line is written here.
        Err(_) => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// Waits for the last lines to be written, at most for a second: standard error may be a pipe that nobody reads.
pub fn flush() {
    LINES.flush(FLUSH_PATIENCE);
}

/// Flushes the log when dropped, also when the thread ends with a panic.
#[derive(Debug)]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

/// Number of lines of the log that were lost since the process began, because standard error failed or took nothing.
#[must_use]
pub fn lost_lines() -> u64 {
    LINES.lost()
}

/// One event as the subscriber formatted it. It is written with one call.
struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an event or a span may be written, whatever `AUTH_LOG` says. Libraries write what came over the wire at their finest
/// levels: statements with their values, headers with tokens.
fn may_be_written(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= finest_level(metadata.target())
}

fn finest_level(target: &str) -> Level {
    if target.starts_with(OURS) {
        Level::TRACE
    } else if DATABASE.iter().any(|library| target.starts_with(library)) {
        Level::WARN
    } else {
        Level::INFO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_whatever_the_directives_say() {
        for (target, finest) in [
            ("auth_server::request", Level::TRACE),
            ("sqlx::query", Level::WARN),
            ("sqlx_postgres::options::parse", Level::WARN),
            ("sea_orm_migration::migrator", Level::WARN),
            ("h2::codec", Level::INFO),
            ("rustls::client", Level::INFO),
        ] {
            assert_eq!(finest_level(target), finest, "{target}");
        }
    }
}
