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
