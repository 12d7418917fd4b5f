//! The SMTP server of the tests, as a child process.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use auth_mail::{SmtpMailer, SmtpUrl};
use serde_json::Value;
use tempfile::TempDir;

/// The Python that Debian's packages are for.
const PYTHON: &str = "/usr/bin/python3";

/// A running server, with a folder for what it receives. It ends when this value is dropped, and when the test process ends.
pub(super) struct Sink {
    server: Child,
    output: BufReader<ChildStdout>,
    port: u16,
    folder: TempDir,
}

impl Sink {
    /// Starts a server. `None`, after a line that says so, where aiosmtpd is not installed.
    ///
    /// # Panics
    ///
    /// When it cannot be started; where `CI` is `true`, also when aiosmtpd is not installed.
    pub(super) fn start<A: AsRef<OsStr>>(options: &[A]) -> Option<Self> {
        let has_program = Command::new(PYTHON).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !has_program.is_ok_and(|status| status.success()) {
            skip("no aiosmtpd is installed (Debian: python3-aiosmtpd)");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp/sink.py");
        let mut command = Command::new(PYTHON);
        command.arg(script).arg(folder.path()).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let (mut line, mut output) = (String::new(), BufReader::new(server.stdout.take().unwrap()));
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server prints its port");
        Some(Self { server, output, port, folder })
    }

    /// Returns a URL of the server without TLS. The parameters begin with `&`.
    pub(super) fn url(&self, parameters: &str) -> SmtpUrl {
        SmtpUrl::parse(&format!("smtp://127.0.0.1:{}?tls=none{parameters}", self.port)).unwrap()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns a mailer that sends to the server without TLS.
    pub(super) fn mailer(&self) -> SmtpMailer {
        SmtpMailer::new(self.url(""), super::composer("Orchard")).unwrap()
    }

    /// Returns the letters that the server has accepted, oldest first.
    pub(super) fn letters(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        files.sort();
        files.iter().map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
    }

    /// Waits until a server with `--close` has closed a connection.
    pub(super) fn wait_for_close(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "closed\n");
    }

    /// Returns the number of letters that a server with `--count` has accepted.
    pub(super) fn count(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("count")).unwrap().parse().unwrap()
    }

    /// Returns the number of connections so far, and the largest number at one time.
    pub(super) fn connections(&self) -> (usize, usize) {
        let text = std::fs::read_to_string(self.folder.path().join("connections")).unwrap();
        let (total, most) = text.split_once(' ').unwrap();
        (total.parse().unwrap(), most.parse().unwrap())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It has ended, or it ends now.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Says in one line why a test does not run, on standard error itself: what a test prints is shown only when it fails.
///
/// # Panics
///
/// If `CI` is `true`, because nothing may be skipped there.
pub(super) fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "nothing may be skipped in CI: {why}");
    // Nobody reads a line that cannot be written.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
