//! `auth-bench`: every speed claim of this project as a command.
//!
//! Each subcommand measures one promise beside its ceiling or its peer, in turns (A B A B) within one run, and prints
//! medians with the quartiles around them. `--json` writes the same for machines, `--plots` draws it. `--quick` runs
//! everything for a moment, to see that it runs; its figures mean nothing.

mod blacklist;
mod check;
mod databases;
mod enumeration;
mod figure;
mod flood;
mod followers;
mod http;
mod letters;
mod load;
mod login;
mod logout;
mod options;
mod plot;
mod probe;
mod propagation;
mod purge;
mod report;
mod rotation;
mod scale;
mod server;
mod sessions;
mod store;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::options::{Options, Peer};
use crate::report::Report;

/// What a bench fails with: it is told to a person, once.
type Failure = Box<dyn Error + Send + Sync>;

/// Every speed claim of this project as a command.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Bench {
    /// A check in process, beside the bare MAC and `jsonwebtoken::decode`
    Check,
    /// `GET /auth/verify` of the real server beside bare poem; or any server with --url
    Http(Peer),
    /// Logins per second beside the bcrypt crate and john; or any server with --url and --body
    Login(Peer),
    /// Latency of checks while logins flood; or any server with --url, --login-url and --body
    Flood(Peer),
    /// A call of the stores beside bare sqlx with the same statement, and the processor time of `GET /user/me`
    Store,
    /// Refreshes beside plain transactions; checks, logins, lists and purges with sessions
    Sessions,
    /// Letters per second from the outbox to a local mail server
    Letters,
    /// Durable logouts per second beside one transaction each
    Logout,
    /// The index: memory, look-ups, loading, forgetting
    Blacklist,
    /// Time to purge beside more and more live rows
    Purge,
    /// From a logout on one node to the refusal on another
    Propagation,
    /// Checks, snapshots and delays of followers, and what a thousand of them cost their server
    Followers,
    /// Good tokens that are refused while keys rotate under load
    Rotation,
    /// The database part with more and more users; a start with many revoked tokens
    Scale,
    /// Whether the time of a refused login or of a request for a letter tells who exists
    Enumeration,
    /// All of the above, one after the other
    All,
    /// The ceiling of `http`: an endpoint that returns what it is told, on bare poem
    #[command(hide = true)]
    Bare {
        /// A file with the answer: headers as JSON, a line break, the body
        answer: std::path::PathBuf,
    },
    /// The followers of `followers`, which read page after page until their input ends
    #[command(hide = true)]
    Crowd {
        /// The URL of the server
        base: String,
        /// The header with the token of a client
        authorization: String,
        /// Number of followers
        many: u32,
    },
}

fn main() -> ExitCode {
    let Cli { bench, options } = Cli::parse();
    match run(bench, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(bench: Bench, options: &Options) -> Result<(), Failure> {
    let one = |report: Result<Report, Failure>| report?.publish(options);
    match bench {
        Bench::Check => one(check::run(options)),
        Bench::Http(peer) => one(http::run(options, &peer)),
        Bench::Login(peer) => one(login::run(options, &peer)),
        Bench::Flood(peer) => one(flood::run(options, &peer)),
        Bench::Store => one(store::run(options)),
        Bench::Sessions => one(sessions::run(options)),
        Bench::Letters => one(letters::run(options)),
        Bench::Logout => one(logout::run(options)),
        Bench::Blacklist => one(blacklist::run(options)),
        Bench::Purge => one(purge::run(options)),
        Bench::Propagation => one(propagation::run(options)),
        Bench::Followers => one(followers::run(options)),
        Bench::Rotation => one(rotation::run(options)),
        Bench::Scale => one(scale::run(options)),
        Bench::Enumeration => one(enumeration::run(options)),
        Bench::All => {
            let ours = || Peer::default();
            for bench in [Bench::Check, Bench::Http(ours()), Bench::Login(ours()), Bench::Flood(ours())] {
                run(bench, options)?;
            }
            for bench in [
                Bench::Store,
                Bench::Sessions,
                Bench::Letters,
                Bench::Logout,
                Bench::Blacklist,
                Bench::Purge,
                Bench::Propagation,
                Bench::Followers,
                Bench::Rotation,
                Bench::Scale,
            ] {
                run(bench, options)?;
            }
            run(Bench::Enumeration, options)
        }
        Bench::Bare { answer } => http::serve_bare(&answer),
        Bench::Crowd { base, authorization, many } => followers::serve_crowd(&base, &authorization, many),
    }
}
