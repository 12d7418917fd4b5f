//! `auth-server config …`: checks and shows the configuration.

use std::io::{self, Write};

use clap::Subcommand;

use crate::config::{Config, settings_page};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Report everything that is wrong
    Check,
    /// Print the effective settings; secrets are redacted
    Show,
    /// Print docs/SETTINGS.md
    #[command(hide = true)]
    Docs,
}

impl ConfigCommand {
    pub(super) fn run(&self, config: &Config, out: &mut dyn Write) -> io::Result<()> {
        for warning in &config.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        match self {
            Self::Check => writeln!(out, "the configuration of the {} profile is good", config.profile),
            Self::Show => config.effective().iter().try_for_each(|setting| {
                writeln!(out, "{} = {}  # {}", setting.variable, setting.value, setting.origin)
            }),
            Self::Docs => docs(out),
        }
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
        ConfigCommand::Show.run(&config, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("AUTH_TOKEN_SECRET = <redacted>  # environment"), "{shown}");
        assert!(!shown.contains(secret));
    }
}
