#![doc = include_str!("../README.md")]

mod events;
mod follow;
mod index;
mod reader;
mod synced;
mod tail;

pub use follow::FollowEvent;
pub use index::{Index, IndexStats};
pub use synced::{SyncOptions, SyncStats, SyncStep, SyncedBlacklist};
