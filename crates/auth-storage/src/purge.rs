//! Removing rows that have expired, a chunk at a time.

use auth_core::StoreError;

use crate::connect::Database;
use crate::error::AttemptError;

/// What became of one chunk.
pub(crate) struct Chunk {
    /// Rows that had expired.
    pub(crate) found: usize,
    /// Those of them that were removed: another node may have been faster, or have renewed one.
    pub(crate) removed: u64,
}

impl Database {
    /// Removes at most `limit` rows and returns how many. `remove` removes a chunk of at most as many as it is given.
    pub(crate) async fn purge<R, F>(&self, limit: u32, remove: R) -> Result<u64, StoreError>
    where
        R: Fn(u64) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Chunk, AttemptError>> + Send + 'static,
    {
        let limit = u64::from(limit);
        let mut removed = 0;
        // Until the limit or the end: a chunk of which not all was removed is not the end.
        while removed < limit {
            let (remove, wanted) = (remove.clone(), limit - removed);
            let chunk = self.write(move |_| remove(wanted)).await?;
            if chunk.found == 0 {
                break;
            }
            removed += chunk.removed;
        }
        Ok(removed)
    }
}
