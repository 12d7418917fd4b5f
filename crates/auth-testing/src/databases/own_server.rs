//! A database server that belongs to one test, which may crash it and start it again.

use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sea_orm::{ConnectOptions, Database};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::{TestDatabase, TestDatabaseKind, skip};

/// Limit of the time in which a server is made, starts or stops.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether a server that was started answers.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A PostgreSQL or MariaDB server of its own, in a temporary folder and on a free port, gone when dropped. It is made by the
/// programs of the system's packages and, where the test is root, run by the user that these made.
#[derive(Debug)]
pub struct OwnServer {
    kind: TestDatabaseKind,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl OwnServer {
    /// Makes and starts a server with the settings of its kind. See [`start_with`](Self::start_with).
    ///
    /// # Panics
    ///
    /// As [`start_with`](Self::start_with).
    pub async fn start(kind: TestDatabaseKind) -> Option<Self> {
        Self::start_with(kind, &[]).await
    }

    /// Makes and starts a server with some settings more, each as `name=value`. `None`, after a line that says so, where its programs are not installed, and for SQLite,
    /// which has no server.
    ///
    /// # Panics
    ///
    /// When it cannot be made although it is installed; where `CI` is `true`, also when it is not installed.
    pub async fn start_with(kind: TestDatabaseKind, settings: &[&str]) -> Option<Self> {
        let (program, user) = match kind {
            TestDatabaseKind::Sqlite => return None,
            TestDatabaseKind::Postgres => (postgres_program("initdb"), "postgres"),
            TestDatabaseKind::MySql => (Some(PathBuf::from("/usr/sbin/mariadbd")), "mysql"),
        };
        if !program.is_some_and(|program| program.exists()) {
            skip(&format!("no {kind:?} server is installed"));
            return None;
        }
        let mut server = Self::in_new_folder(kind, user, settings.iter().map(ToString::to_string).collect());
        match kind {
            TestDatabaseKind::Postgres => {
                finish(server.program("initdb").args(["-U", "postgres", "-A", "trust", "--no-sync"]));
            }
            _ => finish(server.program("mariadb-install-db").args(["--auth-root-authentication-method=normal"])),
        }
        server.start_again().await;
        Some(server)
    }

    fn in_new_folder(kind: TestDatabaseKind, user: &str, settings: Vec<String>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The server's own user has to get to its data.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder of ours");
        let port = free_port();
        let server = Self { kind, folder, port, settings, process: None };
        let data = server.data();
        std::fs::create_dir(&data).expect("a folder in ours");
        std::fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("a folder of ours");
        if is_root() {
            finish(Command::new("chown").arg(user).arg(&data).arg(server.folder.path()));
        }
        server
    }

    /// Makes and starts a hot standby of this PostgreSQL server, which from then on commits synchronously to it.
    ///
    /// # Panics
    ///
    /// When it cannot be made, or this is no PostgreSQL server.
    pub async fn standby(&self) -> Self {
        assert_eq!(self.kind, TestDatabaseKind::Postgres, "only PostgreSQL has standbys here");
        let mut standby = Self::in_new_folder(TestDatabaseKind::Postgres, "postgres", Vec::new());
        let primary = self.port.to_string();
        let mut copy = standby.program("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-p", &primary, "-U", "postgres", "--write-recovery-conf"]);
        finish(copy.args(["--checkpoint=fast", "--no-sync"]));
        standby.start_again().await;
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.execute("SELECT pg_reload_conf()").await;
        standby
    }

    /// Makes a standby the primary.
    ///
    /// # Panics
    ///
    /// When it is none, or does not become the primary in time.
    pub async fn promote(&self) {
        self.execute("SELECT 1 / pg_promote()::int").await;
    }

    /// Runs one statement as the superuser.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub async fn execute(&self, sql: &str) {
        super::execute(self.database().url(), sql).await;
    }

    /// The database of the server that is there from the start.
    #[must_use]
    pub fn database(&self) -> TestDatabase {
        let port = self.port;
        let url = match self.kind {
            TestDatabaseKind::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            _ => format!("mysql://root@127.0.0.1:{port}/test"),
        };
        TestDatabase { kind: self.kind, url }
    }

    /// Stops the server in the middle of whatever it does. Nothing is written any more, nobody is told.
    ///
    /// # Panics
    ///
    /// When it does not run, or does not stop.
    pub async fn crash(&mut self) {
        self.stop_with(self.crash_signal()).await;
    }

    /// Stops the server as an operator does.
    ///
    /// # Panics
    ///
    /// When it does not run, or does not stop.
    pub async fn stop(&mut self) {
        // To PostgreSQL SIGTERM says: wait until every client has gone.
        self.stop_with(if self.kind == TestDatabaseKind::Postgres { "INT" } else { "TERM" }).await;
    }

    /// PostgreSQL is several processes, and killing one leaves others; on SIGQUIT all of them exit at once, without
    /// writing, and the next start recovers from the write-ahead log.
    fn crash_signal(&self) -> &'static str {
        if self.kind == TestDatabaseKind::Postgres { "QUIT" } else { "KILL" }
    }

    async fn stop_with(&mut self, signal: &str) {
        let mut process = self.process.take().expect("the server runs");
        send(&process, signal);
        let stopped = timeout(PATIENCE, spawn_blocking(move || process.wait())).await;
        stopped.expect("the server stops in time").expect("the wait ends").expect("the server is our child");
    }

    /// Starts the server with the data that it left, at the same address, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub async fn start_again(&mut self) {
        let port = self.port;
        let mut command = if self.kind == TestDatabaseKind::Postgres {
            // Commits need not be durable as far as this server is concerned: who needs them so has to say so.
            let mut command = self.program("postgres");
            command.args(["-h", "127.0.0.1", "-c", "synchronous_commit=off", "-p", &port.to_string(), "-k"]);
            command.arg(self.folder.path());
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            command
        } else {
            let mut command = self.program("mariadbd");
            command.args([&format!("--port={port}"), "--bind-address=127.0.0.1"]);
            command.arg(format!("--socket={}", self.folder.path().join("socket").display()));
            command.args(self.settings.iter().map(|setting| format!("--{setting}")));
            command
        };
        let log = std::fs::File::create(self.log()).expect("a file in a folder of ours");
        let error_log = log.try_clone().expect("a second handle");
        let process = command.stdin(Stdio::null()).stdout(log).stderr(error_log).spawn();
        self.process = Some(process.expect("the server's program starts"));
        let deadline = Instant::now() + PATIENCE;
        while !self.answers().await {
            let said = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server does not answer: {}", said());
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn answers(&self) -> bool {
        let mut options = ConnectOptions::new(self.database().url());
        options.max_connections(1).sqlx_logging(false);
        match Database::connect(options).await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_) => false,
        }
    }

    /// One of the server's programs, told where the data are, as the user that may run it.
    fn program(&self, name: &str) -> Command {
        let (program, user, data) = match self.kind {
            TestDatabaseKind::Postgres => (postgres_program(name).expect("it is installed"), "postgres", "-D"),
            _ if name == "mariadbd" => (PathBuf::from("/usr/sbin/mariadbd"), "mysql", "--datadir"),
            _ => (PathBuf::from(name), "mysql", "--datadir"),
        };
        let mut command = as_user(user, &program);
        if self.kind == TestDatabaseKind::Postgres {
            command.arg(data).arg(self.data());
        } else {
            command.arg("--no-defaults").arg(format!("{data}={}", self.data().display()));
        }
        // MariaDB removes temporary tables at its start, those of other servers in the same folder too.
        command.current_dir(self.folder.path()).env("TMPDIR", self.folder.path());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let signal = self.crash_signal();
        if let Some(process) = &mut self.process {
            send(process, signal);
            let _ = process.wait();
        }
    }
}

pub(crate) fn send(process: &Child, signal: &str) {
    finish(Command::new("kill").args([&format!("-{signal}"), &process.id().to_string()]));
}

/// A program of the newest PostgreSQL that is installed; Debian keeps several side by side, and none on the path.
fn postgres_program(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(|path| version(path))?;
    Some(newest.join("bin").join(name))
}

/// A program as the user that its package made, where the test is root. `setpriv` becomes the program, so the id of the
/// process is the program's own.
pub(crate) fn as_user(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]).arg(program);
    command
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

pub(crate) fn finish(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}
