//! The program as a process: starting it, calling it over a socket, and ending it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PASSWORD: &str = "a-password-that-nobody-logs";
pub(crate) const STRONG_SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Returns a command for the program with an environment that has only a data folder of its own and a free port.
pub(crate) fn command(folder: &TempDir) -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_auth-server")), folder)
}

/// Returns the same, started by a shell that runs `first` before.
pub(crate) fn command_after(first: &str, folder: &TempDir) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{first} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_auth-server")]);
    prepared(shell, folder)
}

fn prepared(mut command: Command, folder: &TempDir) -> Command {
    command
        .env_clear()
        .env("AUTH_DATA_DIR", folder.path().join("data"))
        .env("AUTH_LISTEN", "127.0.0.1:0")
        .current_dir(folder.path())
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end. Returns its exit code, standard output and standard error.
pub(crate) fn operate(folder: &TempDir, settings: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder).envs(settings.iter().copied()).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A running server, which is killed on drop.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
    lines: Receiver<String>,
    /// The lines that were read from it so far.
    pub(crate) output: String,
}

impl Server {
    pub(crate) fn start(folder: &TempDir, settings: &[(&str, &str)]) -> Self {
        Self::spawn(command(folder), settings)
    }

    /// Starts `command` with `settings` and waits until it listens.
    pub(crate) fn spawn(command: Command, settings: &[(&str, &str)]) -> Self {
        Self::spawn_as(command, settings, &["serve"])
    }

    /// Starts `command` with `settings` and these arguments and waits until it listens.
    pub(crate) fn spawn_as(mut command: Command, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut process = command
            .env("AUTH_BCRYPT_COST", "4")
            .envs(settings.iter().copied())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let mut server = Self { process, address: String::new(), lines, output: String::new() };
        let line = server.wait_for_line("http://127.0.0.1:");
        let (_, rest) = line.split_once("http://").unwrap();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
        rest[..end].clone_into(&mut server.address);
        server
    }

    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("never said {part:?}:\n{}", self.output));
            self.output.push_str(&line);
            self.output.push('\n');
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn call(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        call(self.connect(), method, path, token, body)
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), pid]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn terminate(&mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until the process ends. Returns its exit status and everything that it wrote.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.output.push_str(&line);
            self.output.push('\n');
        }
        (self.process.wait().unwrap(), self.output.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends one request. Returns the status and the body of the response.
pub(crate) fn call(mut to: TcpStream, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         {authorization}\r\n{body}"
    );
    to.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    to.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub(crate) fn member(json: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned()
}
