//! Confirmation of a command that deletes data.

use std::io::{self, BufRead, IsTerminal as _, Write as _};

use auth_core::BoxError;
use tokio::task::spawn_blocking;

/// Asks at the terminal whether to delete what was shown. It waits on a thread of its own, so that a signal interrupts the question.
///
/// # Errors
///
/// Standard input is no terminal, or the answer is not `yes`.
pub(super) async fn confirm() -> Result<(), BoxError> {
    spawn_blocking(|| ask(&mut io::stdin().lock(), io::stdin().is_terminal())).await?
}

fn ask(answers: &mut impl BufRead, terminal: bool) -> Result<(), BoxError> {
    if !terminal {
        return Err("nothing was deleted: pass --yes to delete this without being asked".into());
    }
    write!(io::stderr(), "Delete this? Type yes: ")?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err("nothing was deleted".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_yes_at_a_terminal_deletes() {
        ask(&mut "yes\n".as_bytes(), true).unwrap();
        for answer in ["", "\n", "y\n", "no\n"] {
            assert_eq!(ask(&mut answer.as_bytes(), true).unwrap_err().to_string(), "nothing was deleted");
        }
        assert!(ask(&mut "yes\n".as_bytes(), false).unwrap_err().to_string().contains("--yes"));
    }
}
