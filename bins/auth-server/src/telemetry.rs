//! Logs: to standard error, as text for people or as one JSON object a line.
//!
//! A log that cannot be written never changes what the process does, see [`lost_lines`].

mod lines;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use self::lines::{Lines, Panicked};
use crate::config::{Config, LogFormat};

/// Libraries that at their finest levels write what came over the wire. They stay quiet unless they are named.
const QUIET: [&str; 5] = ["hyper=info", "h2=info", "sqlx=warn", "sea_orm=warn", "sea_orm_migration=warn"];

/// How long the end of the process waits for the last lines to be written.
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
    let filter = filter(&config.log);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line).log_internal_errors(false);
    // A second start, as in tests, keeps the first one's.
    let _ = match config.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
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

fn filter(directives: &str) -> EnvFilter {
    let named = |library: &str| directives.split(',').any(|directive| directive.trim().starts_with(library));
    let quiet = QUIET.iter().filter(|quiet| !quiet.split_once('=').is_some_and(|(library, _)| named(library)));
    let all: Vec<&str> = std::iter::once(directives).chain(quiet.copied()).collect();
    EnvFilter::new(all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_unless_they_are_named() {
        let quiet = filter("trace").to_string();
        assert!(quiet.contains("hyper=info") && quiet.contains("sqlx=warn"), "{quiet}");
        let named = filter("info,sqlx=debug").to_string();
        assert!(named.contains("sqlx=debug") && !named.contains("sqlx=warn"), "{named}");
    }
}
