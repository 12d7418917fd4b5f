//! The schema in real databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod applying;
mod installations;
mod ownership;
mod support;
mod upgrades;
