//! Failure to write the log loses log lines and has no other effect.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auth_testing::databases::skip;
use tempfile::TempDir;

use crate::process::{call, command, member};

const PATIENCE: Duration = Duration::from_secs(60);

const ACCOUNT: &str = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;

/// A server whose log goes to a sink that the test cannot read. Its port is chosen by the test.
struct Mute {
    process: Child,
    address: String,
}

impl Mute {
    fn start(folder: &TempDir, log: impl Into<Stdio>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = command(folder);
        process.env("AUTH_LISTEN", free.to_string()).env("AUTH_BCRYPT_COST", "4").env("AUTH_LOG", "debug");
        let mut process = process.arg("serve").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        until_it_listens(free, &mut process);
        Self { process, address: free.to_string() }
    }

    fn call(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        let stream = TcpStream::connect(&self.address).unwrap();
        call(stream, method, path, token, body)
    }

    /// Registers, logs out and checks that the token is refused.
    fn serves(&self) {
        let (status, answer) = self.call("POST", "/auth/register", None, ACCOUNT);
        assert_eq!(status, 201, "{answer}");
        let token = member(&answer, "Authorization");
        assert_eq!(self.call("POST", "/auth/logout", Some(&token), "").0, 200);
        assert_eq!(self.call("GET", "/user/me", Some(&token), "").0, 401);
    }

    /// Waits until a line was lost. The log is written after the responses.
    fn loses_a_line(&self) {
        let began = tokio::time::Instant::now();
        while self.lost() < 1.0 {
            assert!(began.elapsed() < PATIENCE, "no line was lost");
            std::thread::yield_now();
        }
    }

    fn lost(&self) -> f64 {
        let (_, metrics) = self.call("GET", "/metrics", None, "");
        let line = metrics.lines().find(|line| line.starts_with("auth_log_lines_lost_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn stops_in_order(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until_it_listens(address: SocketAddr, process: &mut Child) {
    let began = tokio::time::Instant::now();
    while TcpStream::connect(address).is_err() {
        assert_eq!(process.try_wait().unwrap(), None, "it ended");
        assert!(began.elapsed() < PATIENCE, "it never listened");
        std::thread::yield_now();
    }
}

#[test]
fn a_log_on_a_full_disk_loses_lines_that_are_counted() {
    let folder = TempDir::new().unwrap();
    let server = Mute::start(&folder, OpenOptions::new().write(true).open("/dev/full").unwrap());
    server.serves();
    server.loses_a_line();
    server.stops_in_order();
}

#[test]
fn a_log_whose_reader_is_gone_loses_lines_that_are_counted() {
    let folder = TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let server = Mute::start(&folder, writer);
    server.serves();
    server.loses_a_line();
    server.stops_in_order();
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let folder = TempDir::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    // Another writer fills the pipe, so that it is full at the server's first line.
    let mut filler = writer.try_clone().unwrap();
    std::thread::spawn(move || while filler.write_all(&[b'x'; 4096]).is_ok() {});
    let server = Mute::start(&folder, writer.try_clone().unwrap());
    server.serves();
    server.stops_in_order();
    drop(reader);
    let _ = writer.flush();
}

#[test]
fn a_log_file_goes_on_once_there_is_room_and_says_how_much_is_missing() {
    let disk = TempDir::new().unwrap();
    let mut mount = Command::new("mount");
    let mount = mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(disk.path()).stderr(Stdio::null());
    if !mount.status().is_ok_and(|status| status.success()) {
        return skip("a disk of its own takes root");
    }
    let _mounted = Mounted(&disk);
    let folder = TempDir::new().unwrap();
    let mut ballast = File::create(disk.path().join("ballast")).unwrap();
    while ballast.write_all(&[0; 4096]).is_ok() {}
    let log = OpenOptions::new().append(true).create(true).open(disk.path().join("log")).unwrap();
    let server = Mute::start(&folder, log);
    server.serves();
    server.loses_a_line();
    ballast.set_len(0).unwrap();
    assert_eq!(server.call("GET", "/user/me", None, "").0 / 100, 4);
    server.stops_in_order();
    let log = std::fs::read_to_string(disk.path().join("log")).unwrap();
    assert!(log.contains("lines of the log were lost") && log.contains("stopped"), "{log}");
}

/// A mounted file system, until it is dropped.
struct Mounted<'a>(&'a TempDir);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_standard_error_changes_nothing() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let folder = TempDir::new().unwrap();
    let commands: [&[&str]; 7] = [
        &["openapi"],
        &["config", "show"],
        &["config", "check"],
        &["migrate", "up"],
        &["--help"],
        &["--version"],
        &["migrate", "status"],
    ];
    for arguments in commands {
        for out in [full(), closed()] {
            let mut program = command(&folder).args(arguments).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert_eq!(program.wait().unwrap().code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains("cannot write to standard output") && !said.contains("panicked"), "{said}");
        }
        for errors in [full(), closed()] {
            let output = command(&folder).args(arguments).stderr(errors).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        }
    }
    let failures: [(&[&str], i32); 3] =
        [(&["fly"], 2), (&["--env", "prod", "serve"], 78), (&["user", "promote", "a@b.example"], 1)];
    for (arguments, expected) in failures {
        for errors in [full(), closed()] {
            let output = command(&folder).args(arguments).stderr(errors).output().unwrap();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}");
        }
    }
}
