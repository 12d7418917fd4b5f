//! The rotation of refresh tokens: a model that is explored exhaustively, and the stores bound to it.
//!
//! `rules` states what a server does with a session. `model` explores every order of steps of two holders and two nodes
//! over these rules. `schedules` runs random schedules against the service on every database and compares each answer
//! with the one of the rules.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod model;
mod pausing_store;
mod rules;
mod schedules;
mod steps;
mod system;
