//! Stored hashes of several schemes: the cost of a login with each, the upgrade of the hash, and changes of the
//! password.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod change;
mod cost;
mod counting;
mod fixture;
mod schemes;
mod upgrade;
