//! The synced blacklist from outside: freshness, falling back, reloading, group commit. Time is a manual clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod another_log;
mod branch;
mod freshness;
mod logouts;
mod loss;
mod purges;
mod world;
