#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
pub mod client;
mod cursor;
mod entry;
pub mod page;
#[cfg(feature = "server")]
pub mod server;
pub mod snapshot;
mod stamp;

pub use cursor::{Cursor, CursorError};
pub use page::{FeedEntry, FeedPage, PageError};
pub use stamp::{Freshness, Stamp};
