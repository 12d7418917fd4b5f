#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
pub mod client;
mod cursor;
mod entry;
pub mod page;
mod page_error;
#[cfg(feature = "server")]
pub mod server;
pub mod snapshot;
mod stamp;

pub use cursor::{Cursor, CursorError};
pub use page::{FeedEntry, FeedPage};
pub use page_error::PageError;
pub use stamp::{Freshness, Stamp};
