//! A Galera cluster that belongs to one test, which may hold, cut off and crash its nodes.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::own_server::{LOOK_AGAIN, PATIENCE, as_user, finish, free_port, is_root, send};
use super::{TestDatabase, TestDatabaseKind, skip};

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
const SERVER: &str = "/usr/sbin/mariadbd";
const NODES: usize = 3;

/// Three MariaDB servers with synchronous replication by Galera, on loopback and in a temporary folder, gone when dropped.
#[derive(Debug)]
pub struct OwnGalera {
    folder: TempDir,
    nodes: Vec<GaleraNode>,
}

#[derive(Debug)]
struct GaleraNode {
    /// Of SQL.
    port: u16,
    /// Of the group, of incremental and of full state transfers.
    group: [u16; 3],
    process: Option<Child>,
    /// True if it was started to make the cluster, and not to join it.
    is_first: bool,
}

impl OwnGalera {
    /// Makes and starts a cluster of three nodes. `None`, after a line that says so, where its programs are not installed.
    ///
    /// # Panics
    ///
    /// When it cannot be made although it is installed; where `CI` is `true`, also when it is not installed.
    pub async fn start() -> Option<Self> {
        if ![PROVIDER, SERVER, "/usr/bin/rsync"].iter().all(|program| Path::new(program).exists()) {
            skip("no Galera cluster can be started: it needs mariadb-server, galera-4 and rsync");
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder of ours");
        let node =
            || GaleraNode { port: free_port(), group: [(); 3].map(|()| free_port()), process: None, is_first: false };
        let mut cluster = Self { folder, nodes: (0..NODES).map(|_| node()).collect() };
        for node in 0..NODES {
            std::fs::create_dir_all(cluster.data(node)).expect("a folder in ours");
        }
        cluster.give_to_server();
        let mut install = as_user("mysql", Path::new("mariadb-install-db"));
        install.arg("--no-defaults").arg(format!("--datadir={}", cluster.data(0).display()));
        install.env("TMPDIR", cluster.folder.path()).current_dir(cluster.folder.path());
        finish(install.arg("--auth-root-authentication-method=normal"));
        // The others begin as copies of the first one after it has made the cluster, so that none needs a full transfer.
        cluster.launch(0, true);
        cluster.synced(0).await;
        cluster.stop(0);
        for node in 1..NODES {
            finish(Command::new("cp").arg("-a").arg(cluster.data(0)).arg(cluster.home(node)));
        }
        cluster.give_to_server();
        cluster.launch(0, true);
        cluster.synced(0).await;
        for node in 1..NODES {
            cluster.launch(node, false);
        }
        for node in 1..NODES {
            cluster.synced(node).await;
        }
        Some(cluster)
    }

    /// The database `test` by way of this node.
    #[must_use]
    pub fn database(&self, node: usize) -> TestDatabase {
        TestDatabase { kind: TestDatabaseKind::MySql, url: self.url(node) }
    }

    /// One connection to a node, for as long as the caller keeps it.
    ///
    /// # Panics
    ///
    /// When the node does not answer.
    pub async fn session(&self, node: usize) -> DatabaseConnection {
        self.try_session(node).await.expect("the node answers")
    }

    /// Runs a statement on a node.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub async fn execute(&self, node: usize, sql: &str) {
        let session = self.session(node).await;
        session.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        session.close().await.expect("the session closes");
    }

    /// Stops a node's process where it is: to the others it looks like one behind a partition.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn suspend(&self, node: usize) {
        send(self.process(node), "STOP");
    }

    /// Lets a suspended node go on.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn resume(&self, node: usize) {
        send(self.process(node), "CONT");
    }

    /// Kills a node in the middle of whatever it does.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn crash(&mut self, node: usize) {
        self.end(node, "KILL");
    }

    /// Stops a node as an operator does: it leaves the cluster first.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn stop(&mut self, node: usize) {
        self.end(node, "TERM");
    }

    /// Starts a node that was stopped or has crashed, without waiting for it.
    ///
    /// # Panics
    ///
    /// When its program cannot be started.
    pub fn join(&mut self, node: usize) {
        self.launch(node, false);
    }

    /// Forgets what a stopped node had, so that it gets everything from a donor when it joins.
    ///
    /// # Panics
    ///
    /// When the file cannot be removed.
    pub fn forget(&self, node: usize) {
        std::fs::remove_file(self.data(node).join("grastate.dat")).expect("the state of a stopped node");
    }

    /// Waits until a node has joined and applied everything.
    ///
    /// # Panics
    ///
    /// When that takes too long.
    pub async fn synced(&mut self, node: usize) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_synced(node).await.unwrap_or(false) {
            let said = std::fs::read_to_string(self.home(node).join("log")).unwrap_or_default();
            // Galera sets the priority of a thread that may not run yet, and the program then ends before it has begun.
            if said.contains("Failed to set thread schedparams") && self.has_ended(node) {
                self.launch(node, self.nodes[node].is_first);
            }
            assert!(Instant::now() < deadline, "Galera node {node} is not synced: {said}");
            sleep(LOOK_AGAIN).await;
        }
    }

    fn has_ended(&mut self, node: usize) -> bool {
        let process = self.nodes[node].process.as_mut().expect("the node was started");
        process.try_wait().expect("the node is our child").is_some()
    }

    async fn is_synced(&self, node: usize) -> Result<bool, DbErr> {
        let session = self.try_session(node).await?;
        let status = "SHOW STATUS WHERE Variable_name = 'wsrep_local_state_comment' AND Value = 'Synced'";
        let row = session.query_one_raw(Statement::from_string(DbBackend::MySql, status)).await?;
        session.close().await?;
        Ok(row.is_some())
    }

    async fn try_session(&self, node: usize) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(self.url(node));
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await
    }

    fn url(&self, node: usize) -> String {
        format!("mysql://root@127.0.0.1:{}/test", self.nodes[node].port)
    }

    fn launch(&mut self, node: usize, first: bool) {
        let home = self.home(node);
        let GaleraNode { port, group: [group, increments, transfers], .. } = self.nodes[node];
        let members: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.group[0])).collect();
        let mut command = as_user("mysql", Path::new(SERVER));
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", self.data(node).display()))
            .arg(format!("--socket={}", home.join("socket").display()))
            .arg(format!("--pid-file={}", home.join("pid").display()))
            .args([&format!("--port={port}"), "--bind-address=127.0.0.1", "--binlog-format=ROW"])
            .args(["--innodb-autoinc-lock-mode=2", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"])
            // A node that crashes gets what it lost from the others.
            .arg("--innodb-flush-log-at-trx-commit=0")
            .args(["--wsrep-on=ON", "--wsrep-cluster-name=test", "--wsrep-sst-method=rsync"])
            .arg(format!("--wsrep-provider={PROVIDER}"))
            .arg(format!("--wsrep-cluster-address=gcomm://{}", members.join(",")))
            .arg(format!("--wsrep-node-address=127.0.0.1:{group}"))
            .arg(format!("--wsrep-sst-receive-address=127.0.0.1:{transfers}"))
            .arg(format!(
                "--wsrep-provider-options=base_host=127.0.0.1;base_port={group};\
                 gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{increments};gcache.size=16M;\
                 evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S"
            ))
            .args(first.then_some("--wsrep-new-cluster"));
        let log = File::create(home.join("log")).expect("a file in a folder of ours");
        let error_log = log.try_clone().expect("a second handle");
        // MariaDB removes temporary tables at its start, those of other servers in the same folder too.
        command.env("TMPDIR", &home).current_dir(&home).stdin(Stdio::null()).stdout(log).stderr(error_log);
        self.nodes[node].is_first = first;
        self.nodes[node].process = Some(command.spawn().expect("the server's program starts"));
    }

    fn end(&mut self, node: usize, signal: &str) {
        let mut process = self.nodes[node].process.take().expect("the node runs");
        send(&process, signal);
        process.wait().expect("the node is our child");
    }

    fn process(&self, node: usize) -> &Child {
        self.nodes[node].process.as_ref().expect("the node runs")
    }

    /// The server's own user has to get to its data.
    fn give_to_server(&self) {
        if is_root() {
            finish(Command::new("chown").args(["-R", "mysql"]).arg(self.folder.path()));
        }
    }

    fn home(&self, node: usize) -> PathBuf {
        self.folder.path().join(node.to_string())
    }

    fn data(&self, node: usize) -> PathBuf {
        self.home(node).join("data")
    }
}

impl Drop for OwnGalera {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(process) = &mut node.process {
                let _ = process.kill();
                let _ = process.wait();
            }
        }
    }
}
