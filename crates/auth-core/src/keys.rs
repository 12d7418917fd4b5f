//! Keys that sign tokens and are kept in a store: their states, and the schedule of their rotation.

mod algorithm;
mod managed_key;
mod schedule;
mod store;

pub use self::algorithm::{KeyAlgorithm, KeyAlgorithmError};
pub use self::managed_key::{KeySet, KeyState, ManagedKey, NewKey};
pub use self::schedule::{KEY_SKEW, KeyDue, KeySchedule};
pub use self::store::KeyStore;
