//! The public API of the synced blacklist: freshness, fallback, reload and group commit. Time is a manual clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod another_log;
mod branch;
mod fixture;
mod freshness;
mod logouts;
mod loss;
mod observer;
mod purges;
mod read_only;
