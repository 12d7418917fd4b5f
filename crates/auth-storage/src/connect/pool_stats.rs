//! The numbers of connections in a pool.

use sea_orm::sqlx;

/// Numbers of connections in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Open connections.
    pub open: u32,
    /// Open connections that no call uses.
    pub idle: u32,
    /// Maximum number of open connections.
    pub max: u32,
}

impl PoolStats {
    /// The numbers of a pool, of whose used connections `parked` are idle.
    pub(super) fn of<DB: sqlx::Database>(pool: &sqlx::Pool<DB>, parked: usize) -> Self {
        Self {
            open: pool.size(),
            idle: u32::try_from(pool.num_idle() + parked).unwrap_or(u32::MAX),
            max: pool.options().get_max_connections(),
        }
    }
}
