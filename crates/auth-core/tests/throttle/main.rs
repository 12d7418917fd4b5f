//! The rate limits from outside: admitted and refused attempts, and the length of the waits.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod concurrency;
mod faults;
mod fixture;
mod limits;
mod networks;
mod sequences;
mod unlock;
mod waits;
