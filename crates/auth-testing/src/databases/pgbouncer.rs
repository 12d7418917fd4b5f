//! A connection pooler in front of a PostgreSQL database.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::own_server::{LOOK_AGAIN, PATIENCE, as_user, finish, free_port, is_root, send};
use super::{TestDatabase, TestDatabaseKind, skip, split_url};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A PgBouncer of its own, in a temporary folder and on a free port, gone when dropped.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts a PgBouncer before the server of this database, with this `pool_mode` and few connections to the server, so that
    /// its clients share them. `None`, after a line that says so, where it is not installed, and for databases other than
    /// PostgreSQL.
    ///
    /// # Panics
    ///
    /// When it does not start although it is installed; where `CI` is `true`, also when it is not installed.
    pub async fn before(database: &TestDatabase, pool_mode: &str) -> Option<Self> {
        if database.kind() != TestDatabaseKind::Postgres {
            return None;
        }
        if !Path::new(PROGRAM).exists() {
            skip("no PgBouncer is installed");
            return None;
        }
        let (_, user, server, _) = split_url(database.url());
        let (host, server_port) = server.split_once(':').expect("the URL has a port");
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder of ours");
        let port = free_port();
        let users = folder.path().join("users");
        std::fs::write(&users, format!("\"{user}\" \"\"\n")).expect("a file in a folder of ours");
        let configuration = folder.path().join("pgbouncer.ini");
        // In session mode every client has a connection to the server for itself.
        let size = if pool_mode == "session" { 100 } else { 3 };
        let text = format!(
            "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {pool_mode}\n\
             default_pool_size = {size}\nmax_client_conn = 500\n",
            users.display()
        );
        std::fs::write(&configuration, text).expect("a file in a folder of ours");
        if is_root() {
            finish(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
        }
        let mut command = as_user("postgres", Path::new(PROGRAM));
        let log = std::fs::File::create(folder.path().join("log")).expect("a file in a folder of ours");
        let process = command.arg(&configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let pooler = Self { process: process.expect("the pooler's program starts"), port, folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not answer: {}", pooler.said());
            sleep(LOOK_AGAIN).await;
        }
        Some(pooler)
    }

    /// The same database through the pooler.
    #[must_use]
    pub fn database(&self, database: &TestDatabase) -> TestDatabase {
        let (scheme, user, _, path) = split_url(database.url());
        TestDatabase {
            kind: TestDatabaseKind::Postgres,
            url: format!("{scheme}://{user}@127.0.0.1:{}/{path}", self.port),
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        send(&self.process, "INT");
        let _ = self.process.wait();
    }
}
