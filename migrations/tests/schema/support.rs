//! An open database, and questions to it.

use auth_migrations::status;
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr, Statement,
};

pub(crate) async fn open(database: &TestDatabase) -> DatabaseConnection {
    Database::connect(writable(database)).await.unwrap()
}

pub(crate) fn writable(database: &TestDatabase) -> ConnectOptions {
    let create = if database.kind() == TestDatabaseKind::Sqlite { "?mode=rwc" } else { "" };
    let mut options = ConnectOptions::new(format!("{}{create}", database.url()));
    options.max_connections(2).sqlx_logging(false);
    options
}

pub(crate) async fn applied(db: &DatabaseConnection) -> usize {
    status(db).await.unwrap().iter().filter(|migration| migration.applied).count()
}

pub(crate) async fn count(db: &DatabaseConnection, table: &str) -> Result<i64, DbErr> {
    let query = Statement::from_string(db.get_database_backend(), format!("SELECT COUNT(*) AS n FROM {table}"));
    db.query_one_raw(query).await?.unwrap().try_get("", "n")
}

pub(crate) async fn log_identity(db: &DatabaseConnection) -> uuid::Uuid {
    let query = Statement::from_string(db.get_database_backend(), "SELECT log_id FROM auth_blacklist_head".to_owned());
    db.query_one_raw(query).await.unwrap().unwrap().try_get("", "log_id").unwrap()
}

pub(crate) async fn execute(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
