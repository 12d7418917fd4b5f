//! `auth-server completions`: scripts that complete the commands in a shell.

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::Cli;

/// Prints the script for `shell`.
pub(super) fn write(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // The generator panics if it cannot write, so it writes to memory.
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "auth-server", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_completes_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            write(shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for word in ["auth-server", "verify-email", "healthcheck", "completions"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
