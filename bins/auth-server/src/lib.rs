//! Revocable authentication as an HTTP server: how it speaks, how it is configured and how it runs.
//!
//! What authentication means is in `auth-core`, how rows are kept in `auth-storage`; [`app`] is where they meet.

pub mod api;
pub mod app;
pub mod cli;
mod clock_watch;
pub mod config;
mod descriptors;
pub mod metrics;
mod patience;
pub mod readiness;
mod request_head;
pub mod secret_file;
pub mod server;
pub mod signals;
mod tasks;
pub mod telemetry;

pub use app::{App, AppError, Stores};

// A server that mints tokens for anybody must not come into being by a slip in a manifest.
const _: () = assert!(
    cfg!(debug_assertions) || !auth_core::TEST_UTIL,
    "auth-core's feature test-util is on in a release build of the server"
);
