//! Settings of the log.

use tracing_subscriber::EnvFilter;

use super::setting::{Declaration, Section, Setting};

pub(super) static SECTION: Section = Section { title: "Log", settings: &[&LOG, &LOG_FORMAT] };

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(crate) static LOG: Setting<String> = Setting {
    declaration: Declaration {
        meaning: "what is logged",
        values: "directives such as `info` or `warn,auth_server=debug`",
        details: "The levels are explained in [LOGGING.md](LOGGING.md).",
        ..Declaration::new("AUTH_LOG")
    },
    default: |_| "info".to_owned(),
    parse: |text, _| match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("must be directives such as info or warn,auth_server=debug".into()),
    },
    show: Clone::clone,
};

pub(crate) static LOG_FORMAT: Setting<LogFormat> = Setting {
    declaration: Declaration {
        meaning: "format of the log lines",
        values: "`text`, or `json` for one object a line",
        ..Declaration::new("AUTH_LOG_FORMAT")
    },
    default: |_| LogFormat::Text,
    parse: |text, _| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".into()),
    },
    show: |format| match format {
        LogFormat::Text => "text".to_owned(),
        LogFormat::Json => "json".to_owned(),
    },
};
