//! Checks of the source tree that no standard tool makes.
//!
//! | command | fails when |
//! |---|---|
//! | `cargo xtask api` | the public API of a library is not the recorded one; `--update` records it |
//! | `cargo xtask arrows` | a crate depends on something that `docs/ARCHITECTURE.md` forbids it |
//! | `cargo xtask circles` | modules of one crate use each other in a circle |
//! | `cargo xtask pages` | a page names a file, a heading or a test that does not exist |
//! | `cargo xtask rust-version` | a crate promises a Rust that a dependency does not compile with |
//!
//! Each check has tests that break a rule and expect the check to find it.

mod api;
mod arrows;
mod circles;
mod metadata;
mod pages;
mod rust_version;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use metadata::Metadata;
use pages::Repository;

type BoxError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    if let Some(outcome) = api::run_as_rustdoc() {
        return exit_code(outcome);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    exit_code(match arguments[..] {
        ["api"] => api_is_recorded(false),
        ["api", "--update"] => api_is_recorded(true),
        ["arrows"] => Metadata::read().map(|metadata| report("arrows", &arrows::broken(&metadata))),
        ["circles"] => Metadata::read().and_then(|metadata| Ok(report("circles", &circles::found(&metadata)?))),
        ["pages"] => Repository::read(&root()).map(|repository| report("pages", &repository.problems())),
        ["rust-version"] => Metadata::read().map(|metadata| report("rust-version", &rust_version::too_low(&metadata))),
        _ => Err("usage: cargo xtask api [--update] | arrows | circles | pages | rust-version".into()),
    })
}

fn api_is_recorded(update: bool) -> Result<bool, BoxError> {
    Ok(report("api", &api::problems(&Metadata::read()?, update)?))
}

fn exit_code(outcome: Result<bool, BoxError>) -> ExitCode {
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
