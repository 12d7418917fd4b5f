#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!("auth-storage needs a driver: enable one of its features `sqlite`, `postgres` and `mysql`");

mod attempt_store;
mod client_store;
mod clock;
mod connect;
mod entity;
mod error;
mod hex;
mod instant;
mod key_store;
mod one_time_token_store;
mod outbox;
mod personal_token_end;
mod personal_token_store;
mod purge;
#[cfg(test)]
mod query_plan;
mod revocation_log;
mod session_end;
mod session_store;
mod side_effects;
mod tables;
mod user_store;
mod user_table;
mod writability;

pub use attempt_store::SeaAttemptStore;
pub use client_store::SeaClientStore;
pub use connect::{ConnectError, ConnectOptions, Database, DatabaseKind, DatabaseUrl, NotPrimary, PoolStats};
pub use connect::{Statements, UrlError, WriteTransaction, connect, connect_to};
pub use error::{store_error, violated_key};
pub use key_store::SeaKeyStore;
pub use one_time_token_store::SeaOneTimeTokenStore;
pub use outbox::SeaOutbox;
pub use personal_token_store::SeaPersonalTokenStore;
pub use revocation_log::SeaRevocationLog;
pub use session_store::SeaSessionStore;
pub use tables::Tables;
pub use user_store::SeaUserStore;
pub use user_table::UserTable;
