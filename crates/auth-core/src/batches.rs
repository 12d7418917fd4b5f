//! Removal of rows in batches.

use crate::error::StoreError;

/// Calls `remove` with the size of a batch until it removes fewer rows, and `pause` with the number of rows so far between two
/// calls. Returns the number of removed rows.
pub(crate) async fn remove_in_batches<F: Future<Output = Result<u64, StoreError>>>(
    batch: u32,
    remove: impl Fn(u32) -> F,
    mut pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let batch = batch.max(1);
    let mut removed = 0;
    loop {
        let of_batch = remove(batch).await?;
        removed += of_batch;
        if of_batch < u64::from(batch) {
            return Ok(removed);
        }
        pause(removed).await;
    }
}
