//! SIGTERM and SIGINT stop the program whatever it waits for, and SIGHUP does not.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auth_testing::databases::skip;
use tempfile::TempDir;

use crate::process::{Server, command};

/// The program, waiting for a database that accepts connections and never answers.
struct Waiting {
    program: Child,
    _connection: TcpStream,
}

impl Waiting {
    fn start(folder: &TempDir, scheme: &str, arguments: &[&str]) -> Self {
        let database = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://auth:auth@{}/auth", database.local_addr().unwrap());
        let mut program = command(folder);
        program.env("AUTH_DATABASE_URL", url).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let program = program.spawn().unwrap();
        let (connection, _) = database.accept().unwrap();
        Self { program, _connection: connection }
    }

    /// Sends the signal. Returns the exit code and the text on standard error.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        kill(self.program.id(), signal);
        let mut said = String::new();
        self.program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.program.wait().unwrap().code(), said)
    }
}

fn kill(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_server_that_waits_for_its_database_stops_in_order() {
    let folder = TempDir::new().unwrap();
    for (scheme, signal, name) in [("postgres", "TERM", "SIGTERM"), ("mysql", "INT", "SIGINT")] {
        let (code, said) = Waiting::start(&folder, scheme, &["serve"]).stop(signal);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("stopped before serving") && said.contains(name), "{said}");
    }
}

#[test]
fn a_command_that_waits_for_its_database_is_interrupted_and_says_so() {
    let folder = TempDir::new().unwrap();
    for (arguments, signal, expected) in [
        (["migrate", "up"], "TERM", 143),
        (["migrate", "status"], "INT", 130),
        (["user", "list"], "TERM", 143),
        (["token", "purge"], "INT", 130),
    ] {
        let (code, said) = Waiting::start(&folder, "postgres", &arguments).stop(signal);
        assert_eq!(code, Some(expected), "{said}");
        assert!(said.contains("interrupted by SIG"), "{said}");
    }
}

#[test]
fn a_signal_counts_while_the_settings_are_read() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("secret");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut program = command(&folder);
    let mut program = program.env("AUTH_TOKEN_SECRET_FILE", &pipe).stderr(Stdio::null()).spawn().unwrap();
    // Opening this end waits until the program opens the other. The program then waits for bytes that never come.
    let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    kill(program.id(), "TERM");
    assert_eq!(program.wait().unwrap().code(), Some(143));
    drop(writer);
}

#[test]
fn a_hangup_does_not_stop_the_server() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[]);
    server.signal("HUP");
    server.wait_for_line("SIGHUP");
    assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
    let (status, output) = server.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
}

/// A process with the id 1 ignores every signal that it does not catch.
#[test]
fn the_first_process_of_a_container_stops_at_a_signal() {
    let folder = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_auth-server");
    let allowed = Command::new("unshare").args(["--pid", "--fork", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return skip("a process of its own id space takes root and the program unshare");
    }
    for (arguments, expected) in [(["serve"].as_slice(), 0), (&["migrate", "up"], 143)] {
        let database = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://auth:auth@{}/auth", database.local_addr().unwrap());
        let mut container = Command::new("unshare");
        container.args(["--pid", "--fork", "--kill-child", program]).args(arguments);
        container.env_clear().env("AUTH_DATABASE_URL", url).current_dir(folder.path());
        let mut container = container.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let _connection = database.accept().unwrap();
        let (parent, children) = (container.id(), format!("/proc/{0}/task/{0}/children", container.id()));
        let children = std::fs::read_to_string(children).unwrap();
        let first: u32 = children.trim().parse().unwrap_or_else(|_| panic!("{parent} has {children:?}"));
        kill(first, "TERM");
        let status = container.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(expected), None), "{arguments:?}");
    }
}

/// Another process holds the lock. A command that waits for it stops, and the lock is free once its holder releases it.
#[test]
fn a_command_that_waits_for_the_lock_of_migrations_is_interrupted_and_leaves_it_free() {
    use auth_storage::{ConnectOptions, connect};

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    std::fs::create_dir(&path).unwrap();
    let url = format!("sqlite://{}?mode=rwc", path.join("auth.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(connect(&url, ConnectOptions::default())).unwrap();
    let lock = runtime.block_on(database.begin_write()).unwrap();
    for (arguments, expected) in [(["migrate", "up"].as_slice(), 143), (&["serve"], 0)] {
        let mut waits = command(&folder);
        waits.env("AUTH_LOG", "debug").args(arguments).stderr(Stdio::null()).stdout(Stdio::null());
        let mut waits = waits.spawn().unwrap();
        until_open(waits.id(), "auth.db");
        kill(waits.id(), "TERM");
        assert_eq!(waits.wait().unwrap().code(), Some(expected), "{arguments:?}");
    }
    runtime.block_on(lock.rollback()).unwrap();
    runtime.block_on(database.close()).unwrap();
    assert_eq!(crate::process::operate(&folder, &[], &["migrate", "up"]).0, 0);
}

/// Waits until the process has a file of this name open.
fn until_open(pid: u32, name: &str) {
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut open = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        if open.any(|path| path.file_name().is_some_and(|file| file == name)) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{name} was not opened");
}
