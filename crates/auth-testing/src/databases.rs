//! Throw-away databases for tests: one of its own for every test, dropped at the end, also when the test fails.
//!
//! SQLite always runs. PostgreSQL and MySQL (or MariaDB) run when `AUTH_TEST_POSTGRES_URL` and `AUTH_TEST_MYSQL_URL`
//! name a database from which others can be created; otherwise the test says in one line that it was skipped. Where `CI`
//! is `true` nothing may be skipped, and the test fails.
//!
//! For tests of what goes wrong there are a [`Proxy`] that a test can cut or turn to another server, an [`OwnServer`] that it can
//! crash and give a standby, an [`OwnGalera`] cluster whose nodes it can hold, suspend and crash, and a [`PgBouncer`].
//!
//! ```ignore
//! auth_testing::on_every_database!(a_row_comes_back);
//!
//! async fn a_row_comes_back(database: auth_testing::databases::TestDatabase) {
//!     let url = database.url();
//! }
//! ```

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use tempfile::TempDir;
use uuid::Uuid;

mod certificate;
mod own_galera;
mod own_server;
mod pgbouncer;
mod proxy;

pub use certificate::Certificate;
pub use own_galera::OwnGalera;
pub use own_server::OwnServer;
pub use pgbouncer::PgBouncer;
pub use proxy::{Line, Proxy};

#[doc(hidden)]
pub use tokio;

/// A kind of database that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestDatabaseKind {
    /// A file in a temporary folder.
    Sqlite,
    /// The server of `AUTH_TEST_POSTGRES_URL`.
    Postgres,
    /// The server of `AUTH_TEST_MYSQL_URL`.
    MySql,
}

impl TestDatabaseKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MySql];

    /// The variable that names the server, for a kind that needs one.
    #[must_use]
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("AUTH_TEST_POSTGRES_URL"),
            Self::MySql => Some("AUTH_TEST_MYSQL_URL"),
        }
    }
}

/// An empty database that belongs to one test.
#[derive(Debug)]
pub struct TestDatabase {
    kind: TestDatabaseKind,
    url: String,
}

impl TestDatabase {
    /// A SQLite database in memory, made by whoever connects to it.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { kind: TestDatabaseKind::Sqlite, url: "sqlite::memory:".to_owned() }
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(&self) -> TestDatabaseKind {
        self.kind
    }

    /// The same database, over another URL.
    #[must_use]
    pub fn at(&self, url: String) -> Self {
        Self { kind: self.kind, url }
    }

    /// The URL to connect to it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Runs `test` with a new empty database of this kind, and removes the database afterwards, also when the test panics.
///
/// # Panics
///
/// When the test does, or when the database cannot be made.
pub async fn run<T: Future<Output = ()>>(kind: TestDatabaseKind, test: impl FnOnce(TestDatabase) -> T) {
    let server = match kind.variable().map(|variable| (variable, std::env::var(variable))) {
        None => String::new(),
        Some((_, Ok(server))) => server,
        Some((variable, Err(_))) => return skip(&format!("{variable} is not set")),
    };
    run_on(kind, &server, test).await;
}

/// Runs `test` with a new empty database of this kind on this server, which SQLite has no need of, and removes the
/// database afterwards, also when the test panics.
///
/// # Panics
///
/// As [`run`].
pub async fn run_on<R, T: Future<Output = R>>(
    kind: TestDatabaseKind,
    server: &str,
    test: impl FnOnce(TestDatabase) -> T,
) -> R {
    if kind == TestDatabaseKind::Sqlite {
        return run_on_sqlite(test).await;
    }
    let name = format!("auth_test_{}", random_id().simple());
    execute(server, &format!("CREATE DATABASE {name}")).await;
    let database = TestDatabase { kind, url: with_database(server, &name) };
    let outcome = AssertUnwindSafe(test(database)).catch_unwind().await;
    let force = if kind == TestDatabaseKind::Postgres { " WITH (FORCE)" } else { "" };
    execute(server, &format!("DROP DATABASE {name}{force}")).await;
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Scheme, user, server and path of a URL as the tests use them.
fn split_url(url: &str) -> (&str, &str, &str, &str) {
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let (authority, path) = rest.split_once('/').expect("the URL names a database");
    let (user, server) = authority.rsplit_once('@').expect("the URL names a user");
    (scheme, user, server, path)
}

/// Says in one line why a test does not run, on standard error itself: what a test prints is shown only when it fails.
///
/// # Panics
///
/// If `CI` is `true`, because nothing may be skipped there.
pub fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "nothing may be skipped in CI: {why}");
    // Nobody reads a line that cannot be written.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

async fn run_on_sqlite<R, T: Future<Output = R>>(test: impl FnOnce(TestDatabase) -> T) -> R {
    let folder = TempDir::new().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    test(TestDatabase { kind: TestDatabaseKind::Sqlite, url }).await
}

/// The server's URL with another database in its path; user, password and options stay.
fn with_database(server: &str, name: &str) -> String {
    let (address, options) =
        server.split_once('?').map_or((server, None), |(address, options)| (address, Some(options)));
    let authority = address.find("://").expect("a URL with a scheme") + 3;
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}/{name}{options}", &address[..end])
}

async fn execute(server: &str, sql: &str) {
    let mut options = ConnectOptions::new(server);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.expect("the database server answers");
    connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.expect("the connection closes");
}

#[expect(clippy::disallowed_methods, reason = "a name nobody else has; no secret")]
fn random_id() -> Uuid {
    Uuid::new_v4()
}

/// Makes a test on each kind of database of each of these functions, `async fn(TestDatabase)`: `sqlite::name`,
/// `postgres::name` and `mysql::name`.
#[macro_export]
macro_rules! on_every_database {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $crate::on_database!(Sqlite: $($name),+); }
        mod postgres { $crate::on_database!(Postgres: $($name),+); }
        mod mysql { $crate::on_database!(MySql: $($name),+); }
    };
}

/// Makes a test on one kind of database of each of these functions of the module above.
#[macro_export]
macro_rules! on_database {
    ($kind:ident: $($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            $crate::databases::tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on($crate::databases::run($crate::databases::TestDatabaseKind::$kind, super::$name));
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_is_replaced_and_the_rest_kept() {
        assert_eq!(
            with_database("postgres://u:p@h:1/postgres?sslmode=disable", "x"),
            "postgres://u:p@h:1/x?sslmode=disable"
        );
        assert_eq!(with_database("mysql://root@127.0.0.1", "x"), "mysql://root@127.0.0.1/x");
    }
}
