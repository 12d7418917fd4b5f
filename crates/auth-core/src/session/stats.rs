//! Counts of what happened to sessions.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SessionKind;
use crate::blacklist::RevocationReason;

/// Counts of what this service did with sessions since its start. Other nodes count their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Sessions of the kind [`Single`](SessionKind::Single) that were opened.
    pub opened_single: u64,
    /// Sessions of the kind [`Renewable`](SessionKind::Renewable) that were opened.
    pub opened_renewable: u64,
    /// Refresh tokens that were exchanged for the first time.
    pub refreshed: u64,
    /// Refresh tokens that were exchanged again within the grace.
    pub repeated: u64,
    /// Refresh tokens that were refused, those of re-uses left out.
    pub refused: u64,
    /// Sessions that a logout ended.
    pub logged_out: u64,
    /// Sessions that their user, or an operator, ended from elsewhere.
    pub ended_elsewhere: u64,
    /// Sessions that ended because a refresh token was used a second time.
    pub reused: u64,
}

/// The counters of [`SessionStats`].
#[derive(Debug, Default)]
pub(crate) struct SessionCounts {
    opened_single: AtomicU64,
    opened_renewable: AtomicU64,
    refreshed: AtomicU64,
    repeated: AtomicU64,
    refused: AtomicU64,
    logged_out: AtomicU64,
    ended_elsewhere: AtomicU64,
    reused: AtomicU64,
}

impl SessionCounts {
    pub(crate) fn opened(&self, kind: SessionKind) {
        raise(match kind {
            SessionKind::Single => &self.opened_single,
            SessionKind::Renewable => &self.opened_renewable,
        });
    }

    pub(crate) fn refreshed(&self) {
        raise(&self.refreshed);
    }

    pub(crate) fn repeated(&self) {
        raise(&self.repeated);
    }

    pub(crate) fn refused(&self) {
        raise(&self.refused);
    }

    pub(crate) fn ended(&self, reason: RevocationReason) {
        raise(match reason {
            RevocationReason::Logout => &self.logged_out,
            RevocationReason::RefreshReuse => &self.reused,
            _ => &self.ended_elsewhere,
        });
    }

    pub(crate) fn stats(&self) -> SessionStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SessionStats {
            opened_single: read(&self.opened_single),
            opened_renewable: read(&self.opened_renewable),
            refreshed: read(&self.refreshed),
            repeated: read(&self.repeated),
            refused: read(&self.refused),
            logged_out: read(&self.logged_out),
            ended_elsewhere: read(&self.ended_elsewhere),
            reused: read(&self.reused),
        }
    }
}

fn raise(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
