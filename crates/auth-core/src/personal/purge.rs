//! Removal of personal tokens that have expired.

use time::OffsetDateTime;

use super::PersonalTokenStore;
use crate::batches::remove_in_batches;
use crate::blacklist::PURGE_MARGIN;
use crate::error::StoreError;
use crate::token::LEEWAY;

/// Removes personal tokens that have expired from `store`, in batches of `batch` until none is left, and calls `pause` between
/// two batches. Returns the number of removed tokens.
///
/// `now` is the time by the clock of this node. The earlier one of it and the clock of the store decides. It may be ahead of the
/// clocks of other nodes by [`PURGE_MARGIN`].
///
/// # Errors
///
/// When the store failed. Tokens that were removed before stay removed.
pub async fn purge_personal_tokens(
    store: &dyn PersonalTokenStore,
    now: OffsetDateTime,
    batch: u32,
    pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let now = store.now().await?.map_or(now, |of_store| of_store.min(now));
    let before = now - LEEWAY - PURGE_MARGIN;
    remove_in_batches(batch, |limit| store.purge(before, limit), pause).await
}
