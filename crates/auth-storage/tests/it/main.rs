//! The stores on every database that there is.

mod connecting;
mod conformance;
mod log;
mod plans;
mod support;
mod users;
