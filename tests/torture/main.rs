//! What holds whatever fails: the server's own program, killed, cut off and left without its database.
//!
//! A run of `cargo test` goes through every fault once or twice. `AUTH_TORTURE_ROUNDS=100` (`just torture`) makes it a long
//! one.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod ledger;
mod load;
mod node;
mod witness;

mod crash;
mod failover;
mod galera;
mod letters;
mod nodes;
mod outage;
mod partition;
mod restore;
mod skew;

/// Number of rounds in which a test goes through its faults.
fn rounds(usually: usize) -> usize {
    match std::env::var("AUTH_TORTURE_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("AUTH_TORTURE_ROUNDS is a number"),
        Err(_) => usually,
    }
}

/// A number from 0 to `below - 1`, another one in every run.
fn random(below: usize) -> usize {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    usize::from_le_bytes(bytes) % below
}
