//! The server through its own door: what a client sees, whatever it sends.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a place")]

#[cfg(target_os = "linux")]
mod broken_log;
#[cfg(target_os = "linux")]
mod descriptors;
mod envelope;
#[cfg(target_os = "linux")]
mod full_disk;
mod logs;
mod operator;
mod process;
mod program;
mod secrets;
mod settings;
#[cfg(target_os = "linux")]
mod signals;
mod slow_clients;
mod stalled_database;
mod support;
mod tables;
#[cfg(target_os = "linux")]
mod terminal;
mod tour;
