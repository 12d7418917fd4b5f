//! The check that a database server is the primary.
//!
//! A standby of PostgreSQL and a read-only replica of MySQL answer reads with old data, so a node that reads there would accept
//! tokens after their logout. Every connection is checked when it is opened, when it returns to the pool and before it is used after
//! a pause. The statement that reads the log of revocations contains the check.

use auth_core::StoreError;

/// The reason why a database server must not be used: its answers may be out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPrimary {
    /// PostgreSQL is in recovery.
    #[error("the PostgreSQL server is a standby: it is in recovery and may be behind its primary")]
    Standby,
    /// MySQL or MariaDB is read-only, as replicas and demoted primaries are.
    #[error("the MySQL or MariaDB server is read-only: it is a replica or was demoted, and may be behind its primary")]
    ReadOnly,
    /// The node of a Galera cluster has lost the cluster or has not joined it yet.
    #[error("the Galera node is not ready: it is not in step with its cluster")]
    NotReady,
}

/// The way to ask a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrimaryCheck {
    /// SQLite: a file is always its own primary.
    #[cfg(feature = "sqlite")]
    Sqlite,
    /// PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres,
    /// MySQL or MariaDB.
    #[cfg(feature = "mysql")]
    MySql,
    /// MariaDB in a Galera cluster.
    #[cfg(feature = "mysql")]
    MariaDbGalera,
    /// MySQL in a Galera cluster.
    #[cfg(feature = "mysql")]
    MySqlGalera,
}

const USABLE: i64 = 0;
const STANDBY: i64 = 1;
const READ_ONLY: i64 = 2;

impl PrimaryCheck {
    /// Returns the SQL expression whose value [`check`] reads: zero on a primary, else the reason.
    ///
    /// The values of `read_only` are 0 and 1, and words since MariaDB 12. Replicas of Aurora say so in `innodb_read_only`.
    pub(crate) fn expression(self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "0",
            #[cfg(feature = "postgres")]
            Self::Postgres => "(SELECT pg_is_in_recovery())::int::bigint",
            #[cfg(feature = "mysql")]
            Self::MySql => {
                "CASE WHEN CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF') THEN 2 \
                 WHEN @@global.innodb_read_only THEN 2 ELSE 0 END"
            }
            #[cfg(feature = "mysql")]
            Self::MariaDbGalera => {
                "CASE WHEN CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF') THEN 2 \
                 WHEN @@global.innodb_read_only THEN 2 \
                 WHEN (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                 WHERE VARIABLE_NAME = 'WSREP_READY') <> 'ON' THEN 3 ELSE 0 END"
            }
            #[cfg(feature = "mysql")]
            Self::MySqlGalera => {
                "CASE WHEN CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF') THEN 2 \
                 WHEN @@global.innodb_read_only THEN 2 \
                 WHEN (SELECT VARIABLE_VALUE FROM performance_schema.global_status \
                 WHERE VARIABLE_NAME = 'wsrep_ready') <> 'ON' THEN 3 ELSE 0 END"
            }
        }
    }

    /// Returns true for a node of a Galera cluster.
    pub(super) fn is_galera(self) -> bool {
        match self {
            #[cfg(feature = "mysql")]
            Self::MariaDbGalera | Self::MySqlGalera => true,
            _ => false,
        }
    }

    /// Returns a statement with the expression as its only value.
    pub(crate) fn query(self) -> String {
        format!("SELECT {} AS standing", self.expression())
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl PrimaryCheck {
    /// Returns a statement that fails on a server that is not the primary, for places where no row can be read.
    pub(super) fn assertion(self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "SELECT 1".to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres => format!("SELECT 1 / (CASE {} WHEN 0 THEN 1 ELSE 0 END)", self.expression()),
            // A subquery of two rows is an error where one value is expected.
            #[cfg(feature = "mysql")]
            Self::MySql | Self::MariaDbGalera | Self::MySqlGalera => {
                format!("SELECT CASE {} WHEN 0 THEN 1 ELSE (SELECT 1 UNION ALL SELECT 2) END", self.expression())
            }
        }
    }
}

/// Interprets the value of [`PrimaryCheck::expression`].
pub(crate) fn check(value: i64) -> Result<(), NotPrimary> {
    match value {
        USABLE => Ok(()),
        STANDBY => Err(NotPrimary::Standby),
        READ_ONLY => Err(NotPrimary::ReadOnly),
        _ => Err(NotPrimary::NotReady),
    }
}

impl From<NotPrimary> for StoreError {
    fn from(reason: NotPrimary) -> Self {
        Self::unavailable(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_means_that_the_server_is_the_primary() {
        assert_eq!(check(USABLE), Ok(()));
        assert_eq!(check(STANDBY), Err(NotPrimary::Standby));
        assert_eq!(check(READ_ONLY), Err(NotPrimary::ReadOnly));
        for other in [3, -1, i64::MAX] {
            assert_eq!(check(other), Err(NotPrimary::NotReady));
        }
    }
}
