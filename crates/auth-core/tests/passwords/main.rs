//! Stored hashes of several kinds: what a login with each costs, what becomes of the hash, and changing a password.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod change;
mod cost;
mod schemes;
mod tally;
mod upgrade;
mod world;
