//! The `auth-server` program: see [`auth_server::cli`].

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    auth_server::cli::run(auth_server::cli::Cli::parse())
}
