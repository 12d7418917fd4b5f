//! Confirmation of a command that cannot be undone.

use std::io::{self, BufRead, IsTerminal as _, Write as _};

use auth_core::BoxError;
use tokio::task::spawn_blocking;

/// The action that is confirmed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    Delete,
    Revoke,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Revoke => "revoke",
        }
    }
}

/// Asks at the terminal whether to go on. It waits on a thread of its own, so that a signal interrupts the question.
///
/// # Errors
///
/// Standard input is no terminal, or the answer is not `yes`.
pub(super) async fn confirm(action: Action) -> Result<(), BoxError> {
    spawn_blocking(move || ask(action, &mut io::stdin().lock(), io::stdin().is_terminal())).await?
}

fn ask(action: Action, answers: &mut impl BufRead, terminal: bool) -> Result<(), BoxError> {
    let verb = action.verb();
    if !terminal {
        return Err(format!("nothing was {verb}d: pass --yes to {verb} this without being asked").into());
    }
    let question = match action {
        Action::Delete => "Delete this? Type yes: ",
        Action::Revoke => "Revoke this? Type yes: ",
    };
    write!(io::stderr(), "{question}")?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(format!("nothing was {verb}d").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_yes_at_a_terminal_goes_on() {
        for (action, refusal) in [(Action::Delete, "nothing was deleted"), (Action::Revoke, "nothing was revoked")] {
            ask(action, &mut "yes\n".as_bytes(), true).unwrap();
            for answer in ["", "\n", "y\n", "no\n"] {
                assert_eq!(ask(action, &mut answer.as_bytes(), true).unwrap_err().to_string(), refusal);
            }
            assert!(ask(action, &mut "yes\n".as_bytes(), false).unwrap_err().to_string().contains("--yes"));
        }
    }
}
