//! The real binary, from its start-up line to its exit code.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use auth_core::blacklist::{Position, RevocationReason, RevocationTarget};
use auth_core::{Clock as _, Revocation, RevocationLog as _, SystemClock, TokenId};
use auth_storage::{ConnectOptions, SeaRevocationLog};
use tempfile::TempDir;
use time::OffsetDateTime;

const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "a-password-that-nobody-logs";
const STRONG_SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn the_tour_from_registering_to_a_refused_token_and_a_clean_exit() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[("AUTH_LOG", "trace")]);
    let account = format!(r#"{{"email":"ada@example.com","username":"ada","password":"{PASSWORD}"}}"#);
    let login = format!(r#"{{"email":"ada@example.com","password":"{PASSWORD}"}}"#);

    assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
    assert_eq!(server.call("POST", "/auth/register", None, &account).0, 201);
    let (status, answer) = server.call("POST", "/auth/login", None, &login);
    assert_eq!(status, 200, "{answer}");
    let token = member(&answer, "Authorization");
    assert_eq!(server.call("GET", "/user/me", Some(&token), "").0, 200);
    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    let (status, answer) = server.call("GET", "/user/me", Some(&token), "");
    assert_eq!((status, member(&answer, "code").as_str()), (401, "token_revoked"));
    let wrong = login.replace(PASSWORD, "a-wrong-password-that-nobody-logs");
    assert_eq!(server.call("POST", "/auth/login", None, &wrong).0, 401);
    let (_, metrics) = server.call("GET", "/metrics", None, "");
    assert!(metrics.contains("# TYPE"), "{metrics}");

    let (status, output) = server.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    let secret = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .map(|text| text.trim().to_owned())
        .find(|text| text.len() >= 32)
        .expect("a text file with the signing secret");
    let signature = token.rsplit('.').next().unwrap();
    for hidden in [PASSWORD, "a-wrong-password-that-nobody-logs", &token, signature, "$2b$", &secret] {
        assert!(!output.contains(hidden) && !metrics.contains(hidden), "{hidden:?} was shown:\n{output}\n{metrics}");
    }
}

#[test]
fn a_request_that_is_being_answered_is_finished_before_the_exit() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[]);
    let body = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let mut stream = server.connect();
    // The server asks for the body once the request is in a handler's hands: from here on it is being answered.
    let head = format!(
        "POST /auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.signal("TERM");
    server.wait_for_line("stopping");
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let (status, output) = server.wait();
    assert_eq!(status.code(), Some(0), "{output}");
}

#[test]
fn what_was_logged_out_stays_so_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let (_, answer) = server.call("POST", "/user/", None, account);
    let token = member(&answer, "Authorization");
    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    assert_eq!(server.terminate().0.code(), Some(0));

    let mut server = Server::start(&folder, &[]);
    let (status, answer) = server.call("GET", "/user/me", Some(&token), "");
    assert_eq!((status, member(&answer, "code").as_str()), (401, "token_revoked"));
    assert_eq!(server.terminate().0.code(), Some(0));
}

#[test]
fn another_node_refuses_what_was_logged_out_here_and_in_between_memory_answers() {
    let folder = TempDir::new().unwrap();
    let mut here = Server::start(&folder, &[]);
    // One node that asks the database at every check, and one that reads the log so rarely that it is behind for now.
    let mut asking = Server::start(&folder, &[("AUTH_BLACKLIST_MAX_STALENESS", "0s")]);
    let mut behind = Server::start(&folder, &[("AUTH_BLACKLIST_POLL", "30m"), ("AUTH_BLACKLIST_MAX_STALENESS", "1h")]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let (_, answer) = here.call("POST", "/user/", None, account);
    let token = member(&answer, "Authorization");
    for node in [&here, &asking, &behind] {
        assert_eq!(node.call("GET", "/readyz", None, "").0, 200);
        assert_eq!(node.call("GET", "/auth/verify", Some(&token), "").0, 200);
    }
    assert_eq!(here.call("POST", "/auth/logout", Some(&token), "").0, 200);
    assert_eq!(here.call("GET", "/auth/verify", Some(&token), "").0, 401);
    assert_eq!(asking.call("GET", "/auth/verify", Some(&token), "").0, 401);
    assert_eq!(behind.call("GET", "/auth/verify", Some(&token), "").0, 200, "memory answered, within its bound");
    for node in [&mut here, &mut asking, &mut behind] {
        assert_eq!(node.terminate().0.code(), Some(0));
    }
}

#[test]
fn an_operator_sets_a_password_while_the_server_runs_and_old_tokens_end() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let (_, answer) = server.call("POST", "/auth/register", None, account);
    let token = member(&answer, "Authorization");
    let set_password = |input: &str| {
        let mut set = command(&folder);
        set.args(["user", "set-password", "ada@example.com", "--stdin"]).stdin(Stdio::piped());
        let mut set = set.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        set.wait_with_output().unwrap()
    };
    let refused = set_password("12345\n");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("the password must have at least 6 characters"), "{said}");
    assert_eq!(server.call("GET", "/auth/verify", Some(&token), "").0, 200);

    let done = set_password(&format!("{PASSWORD}\n"));
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("ada@example.com") && !said.contains(PASSWORD), "{said}");
    let old = account.replace(r#","username":"ada""#, "");
    assert_eq!(server.call("POST", "/auth/login", None, &old).0, 401);
    assert_eq!(server.call("POST", "/auth/login", None, &old.replace("123456", PASSWORD)).0, 200);
    // A node that has read the log refuses it from its first request on.
    drop(server);
    let server = Server::start(&folder, &[]);
    let (status, answer) = server.call("GET", "/auth/verify", Some(&token), "");
    assert_eq!((status, member(&answer, "code").as_str()), (401, "token_revoked"));
}

#[test]
fn a_stored_hash_that_makes_logins_dearer_is_told_of_once() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[("AUTH_BCRYPT_COST", "6")]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    assert_eq!(server.call("POST", "/auth/register", None, account).0, 201);
    assert_eq!(server.terminate().0.code(), Some(0));

    let mut server = Server::start(&folder, &[("AUTH_BCRYPT_COST", "4")]);
    let levels = |server: &Server| {
        let (_, metrics) = server.call("GET", "/metrics", None, "");
        metrics.lines().filter(|line| line.starts_with("auth_password_login_work")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(levels(&server), r#"auth_password_login_work{level="bcrypt:4"} 16"#);
    for _ in 0..2 {
        assert_eq!(server.call("POST", "/auth/login", None, &account.replace(r#","username":"ada""#, "")).0, 200);
    }
    assert_eq!(levels(&server), r#"auth_password_login_work{level="bcrypt:6"} 64"#);
    let (_, output) = server.terminate();
    assert_eq!(output.matches("bcrypt:6").count(), 1, "{output}");
}

#[test]
fn retiring_the_key_ends_the_tokens_that_a_restored_backup_would_bring_back() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let login = r#"{"email":"ada@example.com","password":"123456"}"#;
    let verified = |server: &Server, token: &str| server.call("GET", "/auth/verify", Some(token), "");
    let mut server = Server::start(&folder, &[]);
    let (_, answer) = server.call("POST", "/user/", None, account);
    let token = member(&answer, "Authorization");
    assert_eq!(server.terminate().0.code(), Some(0));
    let backup = std::fs::read(data.join("auth.db")).unwrap();

    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    assert_eq!(member(&verified(&server, &token).1, "code"), "token_revoked");
    assert_eq!(server.terminate().0.code(), Some(0));
    std::fs::write(data.join("auth.db"), backup).unwrap();
    let mut server = Server::start(&folder, &[]);
    assert_eq!(verified(&server, &token).0, 200, "the backup knows nothing of the logout");
    assert_eq!(server.terminate().0.code(), Some(0));

    let old = std::fs::read_to_string(data.join("token-secret")).unwrap();
    let (code, said, _) = operate(&folder, &[], &["key", "retire"]);
    assert_eq!(code, 0, "{said}");
    let aside = said.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert_eq!(std::fs::read_to_string(aside).unwrap(), old, "the old secret was kept");
    let mut server = Server::start(&folder, &[]);
    let (status, answer) = verified(&server, &token);
    assert_eq!((status, member(&answer, "code").as_str()), (401, "token_invalid"));
    let (status, answer) = server.call("POST", "/auth/login", None, login);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(verified(&server, &member(&answer, "Authorization")).0, 200);
    assert_eq!(server.terminate().0.code(), Some(0));

    // With the new secret listed as a further key, retiring it would end nothing.
    let file = data.join("token-secret").display().to_string();
    let (code, _, errors) = operate(&folder, &[("AUTH_TOKEN_VERIFY_KEY_FILES", &file)], &["key", "retire"]);
    assert!(code == 1 && errors.contains("AUTH_TOKEN_VERIFY_KEY_FILES"), "{errors}");
}

#[test]
fn a_key_that_the_operator_set_is_left_alone_and_its_variable_is_named() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, STRONG_SECRET).unwrap();
    let file = secret.display().to_string();
    for (variable, value) in [("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_TOKEN_SECRET_FILE", &file)] {
        let (code, said, errors) = operate(&folder, &[(variable, value)], &["key", "retire"]);
        assert_eq!((code, said.as_str()), (1, ""), "{errors}");
        assert!(errors.contains(&format!("set in {variable};")) && !errors.contains(STRONG_SECRET), "{errors}");
    }
    let (code, _, errors) = operate(&folder, &[], &["key", "retire"]);
    assert!(code == 1 && errors.contains("AUTH_DATA_DIR"), "{errors}");
    let files: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["secret"], "nothing was made");
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), STRONG_SECRET);
}

#[test]
fn a_purge_by_hand_removes_what_has_expired_and_nothing_else() {
    const EXPIRED: u64 = 2_500;
    let folder = TempDir::new().unwrap();
    let (code, _, errors) = operate(&folder, &[], &["token", "purge"]);
    assert!(code == 1 && errors.contains("migrate up"), "{errors}");
    assert_eq!(operate(&folder, &[], &["migrate", "up"]).0, 0);

    let url = format!("sqlite://{}", folder.path().join("data/auth.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(auth_storage::connect(&url, ConnectOptions::default())).unwrap();
    let log = SeaRevocationLog::new(database.clone());
    let now = SystemClock.now();
    // What expired an hour ago is within the margin for clocks that are wrong.
    let mut entries = vec![revocation(now + Duration::from_secs(3_600)), revocation(now - Duration::from_secs(3_600))];
    entries.extend((0..EXPIRED).map(|_| revocation(now - Duration::from_secs(86_400))));
    assert_eq!(runtime.block_on(log.append(&entries)).unwrap(), EXPIRED + 2);

    let (code, said, errors) = operate(&folder, &[], &["token", "purge"]);
    assert_eq!((code, said.as_str()), (0, "removed 2500 entries\n"), "{errors}");
    assert!(!errors.contains(['\r', '\u{1b}']), "a bar where there is no terminal: {errors:?}");
    let left = runtime.block_on(log.read_after(Position(0), 10)).unwrap().entries;
    let left: Vec<_> = left.into_iter().map(|(_, entry)| entry.target).collect();
    assert_eq!(left, [entries[0].target, entries[1].target]);
    assert_eq!(operate(&folder, &[], &["token", "purge"]).1, "removed 0 entries\n");
    runtime.block_on(database.close()).unwrap();
}

#[test]
fn a_production_server_without_its_settings_does_not_start() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("auth.db").display());
    for (arguments, settings, named) in [
        (["serve"].as_slice(), [].as_slice(), ["AUTH_TOKEN_SECRET", "AUTH_DATABASE_URL"].as_slice()),
        (&["config", "check"], &[], &["AUTH_TOKEN_SECRET", "AUTH_DATABASE_URL"]),
        (&["config", "check"], &[("AUTH_TOKEN_SECRET", "short"), ("AUTH_DATABASE_URL", &url)], &["AUTH_TOKEN_SECRET"]),
        (&["config", "check"], &[("AUTH_TOKEN_SECRET", STRONG_SECRET)], &["AUTH_DATABASE_URL"]),
        (
            &["config", "check"],
            &[("AUTH_LISTEN", "nowhere"), ("AUTH_TOKEN_TTL", "1"), ("AUTH_BCRYPT_COST", "3")],
            &["AUTH_LISTEN", "AUTH_TOKEN_TTL", "AUTH_BCRYPT_COST", "AUTH_TOKEN_SECRET", "AUTH_DATABASE_URL"],
        ),
    ] {
        let output = command(&folder).env("AUTH_ENV", "prod").envs(settings.iter().copied()).args(arguments).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(78), "{arguments:?} {settings:?}: {said}");
        for variable in named {
            assert!(said.contains(variable), "{variable} is not named: {said}");
        }
    }
}

#[test]
fn a_production_configuration_of_full_strength_passes() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("auth.db").display());
    let settings = [("AUTH_ENV", "prod"), ("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_DATABASE_URL", &url)];
    for arguments in [["config", "check"], ["config", "show"]] {
        let output = command(&folder).envs(settings).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(!said.contains(STRONG_SECRET), "{said}");
    }
}

#[test]
fn a_misspelt_variable_is_answered_with_the_nearest_name() {
    let folder = TempDir::new().unwrap();
    let output = command(&folder).env("AUTH_LISTN", "127.0.0.1:1").args(["config", "check"]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("AUTH_LISTN") && said.contains("AUTH_LISTEN"), "{said}");
}

/// The binary with nothing in its environment but a data folder of its own and a free port.
fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-server"));
    command
        .env_clear()
        .env("AUTH_DATA_DIR", folder.path().join("data"))
        .env("AUTH_LISTEN", "127.0.0.1:0")
        .current_dir(folder.path())
        .stdin(Stdio::null());
    command
}

/// Runs a command of the operator to its end: its exit code, what it says, and what it says on standard error.
fn operate(folder: &TempDir, settings: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder).envs(settings.iter().copied()).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn revocation(expires_at: OffsetDateTime) -> Revocation {
    let target = RevocationTarget::Token(TokenId::generate().unwrap());
    Revocation { target, expires_at, revoked_at: expires_at, reason: RevocationReason::Logout }
}

/// A running server. Killed when dropped, so that a failed test leaves none behind.
struct Server {
    process: Child,
    address: String,
    lines: Receiver<String>,
    output: String,
}

impl Server {
    fn start(folder: &TempDir, settings: &[(&str, &str)]) -> Self {
        let mut process = command(folder)
            .env("AUTH_BCRYPT_COST", "4")
            .envs(settings.iter().copied())
            .arg("serve")
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

    fn wait_for_line(&mut self, part: &str) -> String {
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

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn call(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             {authorization}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), pid]).status().unwrap();
        assert!(sent.success());
    }

    fn terminate(&mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for the end and returns the exit status and everything that was written.
    fn wait(&mut self) -> (ExitStatus, String) {
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

fn member(json: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned()
}
