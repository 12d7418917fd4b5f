//! What a database says that it would do for a statement.

use auth_testing::databases::TestDatabaseKind;
use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement};

use crate::connect::Database;

/// Returns the steps that the database would take for a statement.
pub(crate) async fn plan(database: &Database, mut statement: Statement) -> Vec<String> {
    let (explain, step): (_, fn(&QueryResult) -> String) = match statement.db_backend {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", |row| row.try_get("", "detail").unwrap()),
        DbBackend::MySql => ("EXPLAIN", mysql_step),
        _ => ("EXPLAIN", |row| row.try_get_by_index(0).unwrap()),
    };
    statement.sql = format!("{explain} {}", statement.sql);
    let rows = database.connection().query_all_raw(statement).await.unwrap();
    rows.iter().map(step).collect()
}

fn mysql_step(row: &QueryResult) -> String {
    let column = |name| row.try_get::<Option<String>>("", name).unwrap().unwrap_or_default();
    format!("table={} type={} key={}", column("table"), column("type"), column("key"))
}

/// Returns whether a step of a plan reads every row of this table. A statement names the table, or the alias that SeaORM knows it by.
pub(crate) fn reads_all(kind: TestDatabaseKind, table: &str, step: &str) -> bool {
    let whole = |table: &str| match kind {
        TestDatabaseKind::Sqlite => step.starts_with("SCAN") && step.split_whitespace().any(|word| word == table),
        TestDatabaseKind::Postgres => step.contains(&format!("Seq Scan on {table} ")),
        TestDatabaseKind::MySql => {
            ["ALL", "index"].iter().any(|kind| step.contains(&format!("table={table} type={kind} ")))
        }
    };
    whole(&format!("auth_{table}")) || whole(table)
}
