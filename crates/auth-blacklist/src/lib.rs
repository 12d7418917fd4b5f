#![doc = include_str!("../README.md")]

mod events;
mod follow;
mod index;
mod observer;
mod read_only;
mod reader;
mod stats;
mod synced;
mod tail;

pub use follow::FollowEvent;
pub use index::{Index, IndexStats};
pub use read_only::{ReadOnlyBlacklist, ReadOnlyStats};
pub use stats::{SyncStats, SyncStep};
pub use synced::{SyncOptions, SyncedBlacklist};
