//! Guessing: who is let through to the hash, who has to wait, and for how long.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod at_once;
mod faults;
mod limits;
mod places;
mod sequences;
mod waits;
mod world;
