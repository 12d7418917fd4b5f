//! Revocable authentication as an HTTP server.
//!
//! `auth-core` decides who may log in, the crates around it hash passwords, sign tokens and store rows, and [`app`] puts them
//! together. [`api`] has the operations, `http` what all of them share, [`server`] the connections, [`config`] the settings and
//! [`cli`] the commands.

pub mod api;
pub mod app;
pub mod cli;
mod codec;
pub mod config;
mod descriptors;
mod http;
mod metrics;
mod pages;
mod readiness;
pub mod secret_file;
pub mod server;
mod sidecar;
pub mod signals;
mod tasks;
pub mod telemetry;
mod verify_fast_path;

pub use app::{App, AppError, ServerStores};
