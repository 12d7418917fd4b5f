#![doc = include_str!("../README.md")]

#[cfg(feature = "databases")]
pub mod databases;
mod test_auth;

pub use test_auth::{PASSWORD, TestAuth};
