//! The stores on every database that there is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod connecting;
mod deletion;
mod faults;
mod letters;
mod log;
mod look_ups;
mod lost;
#[cfg(unix)]
mod pooler;
#[cfg(unix)]
mod replaced;
mod retries;
mod session_writes;
#[cfg(unix)]
mod sessions;
#[cfg(unix)]
mod standing;
mod support;
mod tables;
#[cfg(unix)]
mod tls;
mod transactions;
mod users;
