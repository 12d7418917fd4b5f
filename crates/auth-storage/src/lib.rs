//! Users and revocations of [`auth_core`] in a SQL database: SQLite, PostgreSQL, MySQL or MariaDB, through one code path.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use auth_core::{Clock, Email, NewUser, PasswordHash, SystemClock, UserId, UserStore, Username};
//! use auth_storage::{ConnectOptions, SeaRevocationLog, SeaUserStore, connect};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Or sqlite://auth.db, postgres://user:password@host/database, mysql://user:password@host/database.
//! let database = connect("sqlite::memory:", ConnectOptions::default()).await?;
//! auth_migrations::up(database.connection()).await?;
//!
//! let users: Arc<dyn UserStore> = Arc::new(SeaUserStore::new(database.clone()));
//! let log = SeaRevocationLog::new(database.clone());
//!
//! let now = SystemClock::default().now();
//! let ada = users
//!     .insert(NewUser {
//!         id: UserId::generate(now)?,
//!         email: Email::parse("ada@example.org")?,
//!         username: Username::parse("ada")?,
//!         password_hash: PasswordHash::new("$2b$12$…".to_owned()),
//!         admin: false,
//!         registered_on: now,
//!     })
//!     .await?;
//! assert_eq!(users.find_by_id(ada.id).await?, Some(ada));
//! # let _ = log;
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **The log is gapless in commit order.** Every append first updates the one row of `blacklist_head` in its transaction. The
//!   row's lock is held until the commit, on all three databases, so positions become visible in order. Nothing is
//!   read from a replica.
//! - **An acknowledged write is durable**: SQLite runs with `synchronous=FULL`, PostgreSQL with `synchronous_commit` at least
//!   `on`. MySQL has no such setting per session: leave `innodb_flush_log_at_trx_commit` at 1.
//! - **Every call ends in time**, also when the server is gone or silent; it is then an error of kind
//!   [`Unavailable`](auth_core::StoreErrorKind::Unavailable), and the next call may succeed. A call that ran out of time
//!   may still have been made.
//! - **Going away is safe.** A future that is dropped half-way leaves either the whole change or nothing, and a usable pool.
//!
//! # What is not here
//!
//! Schema changes (see `auth-migrations`), retries of what is unavailable, caches, read replicas. The entities are private:
//! nobody depends on how a row looks.
//!
//! # To add a store
//!
//! Implement [`UserStore`](auth_core::UserStore) and [`RevocationLog`](auth_core::RevocationLog). The rules are on the traits,
//! and `auth_core::conformance` (feature `conformance`) checks them: `tests/it/conformance.rs` runs it over this crate in
//! ten lines. Three rules cost thought. Positions must become visible in order, so give them out under a lock that is
//! held until the commit. `change_and_revoke` writes both tables or neither. And a row that makes no sense is an error,
//! never skipped.

mod connect;
mod entity;
mod error;
mod instant;
mod revocation_log;
mod user_store;

pub use connect::{ConnectError, ConnectOptions, Database, DatabaseKind, PoolStats, connect};
pub use revocation_log::SeaRevocationLog;
pub use user_store::SeaUserStore;
