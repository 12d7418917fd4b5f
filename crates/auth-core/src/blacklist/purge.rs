//! Removal of expired entries from the log.

use std::time::Duration;

use time::OffsetDateTime;

use super::log::RevocationLog;
use crate::batches::remove_in_batches;
use crate::error::StoreError;
use crate::token::{LEEWAY, MAX_CLOCK_SKEW};

/// Extra time that an entry stays in the log after its token has expired.
///
/// A purge needs two clocks to agree, see [`purge_expired`]. While not both of them are ahead by more than this,
/// [`Purged`](super::Purged) stays below the expiry of every good token. If both are, tokens are refused that nobody revoked;
/// a revoked token is accepted in no case.
pub const PURGE_MARGIN: Duration = MAX_CLOCK_SKEW;

/// Removes expired entries from `log` in batches of `batch` until none is left, and calls `pause` between two batches.
/// Returns the number of removed entries.
///
/// Only entries that no token within [`LEEWAY`] could still need are removed. `now` is the time by the clock of this node. The
/// earlier one of it and the clock of the store decides, so a single clock that is ahead removes nothing too early.
///
/// # Errors
///
/// When the log failed. Entries that were removed before stay removed.
pub async fn purge_expired(
    log: &dyn RevocationLog,
    now: OffsetDateTime,
    batch: u32,
    pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let now = log.now().await?.map_or(now, |of_store| of_store.min(now));
    let before = now - LEEWAY - PURGE_MARGIN;
    remove_in_batches(batch, |limit| log.purge(before, limit), pause).await
}
