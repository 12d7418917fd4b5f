//! The log, written to standard error as text or as JSON.
//!
//! A line that cannot be written is counted ([`lost_lines`]) and has no other effect.

mod line_queue;
mod log_rate_limit;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::line_queue::{LineQueue, PanicReport};
pub(crate) use self::log_rate_limit::LogRateLimit;
use crate::config::LogFormat;

/// Prefix of the targets of this repository, which log no secrets at any level.
const OURS: &str = "auth_";

/// Prefixes of the targets of the database libraries. Below `warn` they log statements with their values.
const DATABASE: [&str; 2] = ["sqlx", "sea_orm"];

/// Time that the exit of the process waits for the last lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The lines of this process that wait to be written.
static LINES: LineQueue = LineQueue::new();

/// Starts logging what these directives of `tracing` say, in this format. Only the first call of the process has an effect.
///
/// # Errors
///
/// The thread that writes cannot be started.
pub fn start(directives: &str, format: LogFormat) -> io::Result<()> {
    LINES.start()?;
    let filter = EnvFilter::new(directives);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line).log_internal_errors(false);
    let no_secrets = filter_fn(may_be_written);
    // A second start, as in tests, keeps the subscriber of the first.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).finish().with(no_secrets).try_init(),
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            builder.finish().with(no_secrets).try_init()
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message").to_owned();
        LINES.push_panic(PanicReport { place, message });
    }));
    Ok(())
}

/// Writes `line` to standard error in order with the log. Errors are ignored.
pub fn say(line: &str) {
    let line = format!("{line}\n");
    match LINES.start() {
        Ok(()) => LINES.push(line.as_bytes()),
        // Without a thread for writing, this thread writes the line.
        Err(_) => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// Waits for the last lines to be written, at most a second, because standard error may be a pipe that nobody reads.
pub fn flush() {
    LINES.flush(FLUSH_TIMEOUT);
}

/// Flushes the log when dropped, also when the thread ends with a panic.
#[derive(Debug)]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

/// Returns the number of lines of the log that were lost since the process started, because standard error failed or blocked.
#[must_use]
pub fn lost_lines() -> u64 {
    LINES.lost()
}

/// A writer for one formatted event, which the subscriber writes with one call.
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

/// Returns whether an event or a span may be logged, whatever `AUTH_LOG` says. At their finest levels libraries log data from the
/// wire: statements with their values, headers with tokens.
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
