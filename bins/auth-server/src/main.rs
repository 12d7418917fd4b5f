//! The `auth-server` program: see [`auth_server::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::cli::run()
}
