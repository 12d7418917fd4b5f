//! The configuration: the TOML file and the variables.

use std::collections::BTreeMap;

use auth_server::config::{Config, Sources};
use proptest::prelude::*;
use toml::Value;

use crate::database_url;
use crate::mutation::fuzz;

/// A piece of every secret in the corpus, and of nothing else in it.
const SECRET: &str = "5ec2e75ec2e75ec2e7";

const WORDS: &[&str] = &[
    "\n",
    "=",
    " = ",
    "\"",
    "'''",
    "[",
    "]",
    "#",
    "on",
    "off",
    "dev",
    "prod",
    "true",
    "0",
    "-1",
    "1d",
    "90s",
    "99999999999999999999h",
    "%",
    ",",
    "AUTH_ENV=",
    "AUTH_TOKEN_SECRET=",
    "database_url = \"sqlite::memory:\"",
    "token_ttl",
    "\u{0}",
    "\u{e9}",
];

#[test]
fn a_configuration_file_is_read_or_refused_and_no_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.toml");
    fuzz("settings", WORDS, |input| {
        std::fs::write(&path, input).unwrap();
        let shown = shown_by(Sources { config_file: Some(path.clone()), ..Sources::default() });
        let text = String::from_utf8_lossy(input);
        let settings: toml::Table = text.parse().unwrap_or_default();
        let mut settings = settings.iter().map(|(name, value)| (name.as_str(), written(value)));
        prop_assert!(settings.any(is_public) || !shown.contains(SECRET), "shown: {}", shown);
        Ok(())
    });
}

#[test]
fn variables_are_read_or_refused_and_no_secret_is_shown() {
    fuzz("variables", WORDS, |input| {
        let Ok(text) = str::from_utf8(input) else { return Ok(()) };
        let lines = text.lines().filter_map(|line| line.split_once('='));
        // The file that this variable names would be read.
        let env: BTreeMap<String, String> = lines
            .filter(|(name, _)| *name != "AUTH_CONFIG")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut settings = env.iter().map(|(name, value)| (name.strip_prefix("AUTH_").unwrap_or(name), value.clone()));
        let is_public = settings.any(|(name, value)| is_public((&name.to_ascii_lowercase(), value)));
        let shown = shown_by(Sources { env, ..Sources::default() });
        prop_assert!(is_public || !shown.contains(SECRET), "shown: {}", shown);
        Ok(())
    });
}

/// Everything that the server shows of a configuration.
fn shown_by(sources: Sources) -> String {
    match Config::load(sources) {
        Ok(config) => format!("{config:?} {:?} {:?}", config.effective(), config.warnings),
        Err(problems) => format!("{problems} {problems:?}"),
    }
}

/// The text of a value, also of one in a list.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a mutation put the secret where the server shows what is there: into a name, the value of another setting, or a part
/// of a URL that is no password.
fn is_public((name, value): (&str, String)) -> bool {
    let shows_secret = match name {
        "token_secret" => false,
        "database_url" => database_url::is_public(&value, SECRET),
        _ => value.contains(SECRET),
    };
    name.contains(SECRET) || shows_secret
}
