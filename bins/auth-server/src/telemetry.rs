//! Logs: to standard error, as text for people or as one JSON object a line.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Libraries that at their finest levels write what came over the wire. They stay quiet unless they are named.
const QUIET: [&str; 5] = ["hyper=info", "h2=info", "sqlx=warn", "sea_orm=warn", "sea_orm_migration=warn"];

/// Starts logging as `config` says. The first call of the process wins.
pub fn start(config: &Config) {
    let filter = filter(&config.log);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests, keeps the first one's.
    let _ = match config.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, message, "panicked");
    }));
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
