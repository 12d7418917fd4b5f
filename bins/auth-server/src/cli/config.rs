//! `auth-server config …`: checks and shows the configuration.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::listing::{Entry, Format, print};
use crate::config::{Config, EffectiveSetting, settings_page};
use crate::telemetry;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Report everything that is wrong
    Check,
    /// Print the effective settings; secrets are redacted
    Show(Format),
    /// Print docs/SETTINGS.md
    #[command(hide = true)]
    Docs,
}

impl ConfigCommand {
    pub(super) fn run(&self, config: &Config, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Check => {
                notes(config).try_for_each(|note| writeln!(out, "{note}"))?;
                writeln!(out, "the configuration of the {} profile is good", config.profile)
            }
            Self::Show(format) if format.is_json() => {
                // Standard output is for the program that reads the array.
                notes(config).for_each(|note| telemetry::say(&note));
                print(config.effective(), *format, out)
            }
            Self::Show(format) => {
                notes(config).try_for_each(|note| writeln!(out, "{note}"))?;
                print(config.effective(), *format, out)
            }
            Self::Docs => docs(out),
        }
    }
}

/// Returns what is said of a good configuration.
fn notes(config: &Config) -> impl Iterator<Item = String> {
    let warnings = config.warnings.iter().map(|warning| format!("warning: {warning}"));
    warnings.chain(config.notices.iter().map(|notice| format!("notice: {notice}")))
}

impl Entry for EffectiveSetting {
    fn columns(&self) -> Vec<String> {
        vec![format!("{} = {}  # {}", self.variable, self.value, self.origin)]
    }

    fn json(&self) -> Value {
        json!({ "variable": self.variable, "value": self.value, "origin": self.origin.to_string() })
    }
}

/// Prints the page of all settings, which depends on no configuration.
pub(super) fn docs(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(settings_page().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Sources;

    #[test]
    fn the_shown_configuration_holds_no_secret() {
        let secret = "q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4Tx=";
        let env = BTreeMap::from([("AUTH_TOKEN_SECRET".to_owned(), secret.to_owned())]);
        let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
        let mut shown = Vec::new();
        ConfigCommand::Show(Format::default()).run(&config, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("AUTH_TOKEN_SECRET = <redacted>  # environment"), "{shown}");
        assert!(!shown.contains(secret));
    }
}
