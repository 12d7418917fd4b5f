//! Section 4 of the guide: a store of your own, and the contract that it must keep.

use std::sync::Arc;

use async_trait::async_trait;
use auth_conformance::{Backend, ContractCheck, StoresUnderTest, block_on};
use auth_core::memory::MemoryStore as MyStore;

/// An empty database, made for one check.
struct MyDatabase(Arc<MyStore>);

#[async_trait]
impl Backend for MyDatabase {
    async fn open(&self) -> StoresUnderTest {
        StoresUnderTest::new(self.0.clone(), self.0.clone())
    }
}

auth_conformance::conformance_tests!(|check: ContractCheck| {
    block_on(check.assert(&MyDatabase(Arc::new(MyStore::new().unwrap()))));
});

mod own_users {
    use auth_storage::{ConnectError, ConnectOptions, SeaRevocationLog, UserTable, connect};

    async fn log(database_url: &str) -> Result<SeaRevocationLog, ConnectError> {
        let database = connect(database_url, ConnectOptions::default()).await?;
        let members = UserTable::new("members", "public_id", "generation");
        Ok(SeaRevocationLog::new(database).with_users(members))
    }

    #[tokio::test]
    async fn the_log_reads_generations_from_a_table_of_yours() {
        assert!(log("sqlite::memory:").await.is_ok());
    }
}
