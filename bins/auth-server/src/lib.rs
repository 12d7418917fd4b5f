//! Revocable authentication as an HTTP server: how it speaks, how it is configured and how it runs.
//!
//! What authentication means is in `auth-core`, how rows are kept in `auth-storage`; [`app`] is where they meet.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod metrics;
mod patience;
pub mod secret_file;
pub mod server;
mod tasks;
pub mod telemetry;

pub use app::{App, AppError, Stores};
