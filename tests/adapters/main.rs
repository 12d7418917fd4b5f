//! The same doors in every framework, and the server's own: one suite of expectations, through real sockets.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod accounts;
mod cookies;
mod demands;
mod expectations;
mod extractors;
mod frameworks;
mod server;
mod world;
