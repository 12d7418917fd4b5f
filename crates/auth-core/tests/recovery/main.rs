//! The flows of an account through the service: confirmed addresses, resets, changes of address, deletion, and letters.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod change_of_email;
mod deletion;
mod delivery;
mod enumeration;
mod fixture;
mod profile;
mod recording;
mod reset;
mod takeover;
mod throttling;
mod undo;
mod verification;
