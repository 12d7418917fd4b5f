#![doc = include_str!("../README.md")]

mod group;
mod index;
mod reader;
mod synced;
mod tail;

pub use index::{Index, IndexStats};
pub use synced::{SyncOptions, SyncStats, SyncStep, SyncedBlacklist};
