#![doc = include_str!("../README.md")]

mod cursor;
mod entry;
pub mod page;
pub mod snapshot;
mod stamp;

pub use cursor::{Cursor, CursorError};
pub use page::{FeedEntry, FeedPage, PageError};
pub use stamp::{Freshness, Stamp};
