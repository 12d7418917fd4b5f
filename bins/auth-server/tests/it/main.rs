//! The program as a process, and the server on a socket. Stories of the API are in the tests of the workspace.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a place")]

mod accounts;
#[cfg(target_os = "linux")]
mod broken_log;
#[cfg(target_os = "linux")]
mod descriptors;
mod follow;
#[cfg(target_os = "linux")]
mod full_disk;
mod keys;
mod operator;
mod process;
mod program;
mod secrets;
mod settings;
#[cfg(target_os = "linux")]
mod signals;
mod slow_clients;
mod stalled_database;
mod tables;
#[cfg(target_os = "linux")]
mod terminal;
