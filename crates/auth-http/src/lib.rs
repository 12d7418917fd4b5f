#![doc = include_str!("../README.md")]

mod gate;
mod header;
mod refusal;

pub use gate::{Gate, Passage, UnsettledPassage, admin};
pub use header::unverified_token;
pub use refusal::{Refusal, RefusalKind, UNAVAILABLE_RETRY};
