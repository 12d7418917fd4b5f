//! Removing rows that have expired, a chunk at a time.

use std::cmp;

use auth_core::StoreError;
use sea_orm::{DeleteMany, EntityTrait, Select};
use uuid::Uuid;

use crate::connect::Database;
use crate::error::AttemptError;
use crate::tables::Tables;

/// Number of rows that one statement removes.
const CHUNK: u64 = 500;

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

    /// Removes at most `limit` rows that have expired, and returns how many. `expired` selects the ids of at most as many as it is
    /// given, and `deletion` deletes those with these ids that have still expired.
    pub(crate) async fn purge_rows<E: EntityTrait>(
        &self,
        limit: u32,
        expired: impl Fn(&Tables, u64) -> Select<E> + Clone + Send + Sync + 'static,
        deletion: impl Fn(&Tables, Vec<Uuid>) -> DeleteMany<E> + Clone + Send + Sync + 'static,
    ) -> Result<u64, StoreError> {
        let database = self.clone();
        let remove = move |wanted| {
            let (database, expired, deletion) = (database.clone(), expired.clone(), deletion.clone());
            async move {
                let (tables, connection) = (database.tables(), &database.statements());
                let mut ids: Vec<Uuid> = expired(tables, cmp::min(wanted, CHUNK)).into_tuple().all(connection).await?;
                // Whoever locks several rows locks them in this order.
                ids.sort_unstable();
                let found = ids.len();
                if found == 0 {
                    return Ok(Chunk { found, removed: 0 });
                }
                Ok(Chunk { found, removed: deletion(tables, ids).exec(connection).await?.rows_affected })
            }
        };
        self.purge(limit, remove).await
    }
}
