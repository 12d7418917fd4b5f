#![doc = include_str!("../README.md")]

mod access;
mod error;
mod follower;
mod http;
pub mod keys;
mod options;
mod saved;
mod server_url;
mod transport;

pub use self::error::FollowError;
pub use self::follower::{Follower, FollowerStats};
pub use self::keys::RemoteKeys;
pub use self::options::FollowerOptions;
