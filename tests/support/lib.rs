//! What the stories are told with: a running server, a client that can misbehave, and a forger of tokens.

#![expect(clippy::missing_panics_doc, reason = "a panic here is a failed test")]

mod app;
mod failing_log;
mod forge;
mod http;

pub use app::App;
pub use failing_log::FailingLog;
pub use forge::{Forge, respellings};
pub use http::{Client, Request, Response, assert_refused};
