//! Checks of the source tree that no standard tool makes.
//!
//! | command | fails when |
//! |---|---|
//! | `cargo xtask arrows` | a crate depends on something that `docs/ARCHITECTURE.md` forbids it |
//! | `cargo xtask circles` | modules of one crate use each other in a circle |
//! | `cargo xtask pages` | a page names a file, a heading or a test that does not exist |
//!
//! Each check has tests that break a rule and expect the check to find it.

mod arrows;
mod circles;
mod metadata;
mod pages;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use metadata::Metadata;
use pages::Repository;

type BoxError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let outcome = match command.as_str() {
        "arrows" => Metadata::read().map(|metadata| report("arrows", &arrows::broken(&metadata))),
        "circles" => Metadata::read().and_then(|metadata| Ok(report("circles", &circles::found(&metadata)?))),
        "pages" => Repository::read(&root()).map(|repository| report("pages", &repository.problems())),
        _ => Err("usage: cargo xtask arrows | circles | pages".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Prints one line for each problem. Returns whether there is none.
fn report(check: &str, problems: &[String]) -> bool {
    for problem in problems {
        say(problem);
    }
    if problems.is_empty() {
        say(&format!("{check}: none broken"));
    }
    problems.is_empty()
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
