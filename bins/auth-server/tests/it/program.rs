//! The program itself: its exit codes, its start and its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

fn program(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-server"));
    command.current_dir(home.path()).env_clear().env("AUTH_BCRYPT_COST", "4");
    command
}

fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Ends the server also when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn request(address: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_bad_configuration_is_78_and_a_bad_command_line_2() {
    let home = TempDir::new().unwrap();
    let (code, _, errors) = output(program(&home).args(["--env", "prod", "serve"]));
    assert_eq!(code, 78, "{errors}");
    assert!(errors.contains("AUTH_DATABASE_URL") && errors.contains("AUTH_TOKEN_SECRET"), "{errors}");
    assert_eq!(output(program(&home).arg("fly")).0, 2);
    let (code, checked, _) = output(program(&home).args(["config", "check"]));
    assert_eq!((code, checked.trim()), (0, "the configuration of the dev profile is good"));
    assert_eq!(home.path().read_dir().unwrap().count(), 0, "looking makes no file");
}

#[test]
fn an_address_that_is_taken_is_said_so() {
    let home = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, errors) = output(program(&home).args(["--listen", &address]));
    assert_eq!(code, 1);
    assert!(errors.contains(&address) && errors.contains("AUTH_LISTEN"), "{errors}");
}

#[test]
fn the_server_starts_on_a_free_port_answers_and_stops_at_a_signal() {
    let home = TempDir::new().unwrap();
    let mut server = Running(
        program(&home)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"address\"") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended before it listened");
    }
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = started["address"].as_str().unwrap().to_owned();
    assert_eq!(started["profile"], "dev");
    assert_eq!(started["docs"], format!("http://{address}/docs"));

    assert_eq!(output(program(&home).args(["healthcheck", "--listen", &address])).0, 0);
    let body = r#"{"email":"ada@example.org","username":"ada","password":"123456"}"#;
    let register = format!(
        "POST /user/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(request(&address, &register).starts_with("HTTP/1.1 201 "));
    let (code, promoted, _) = output(program(&home).args(["user", "promote", "ada@example.org"]));
    assert!(code == 0 && promoted.contains("\tadmin\t"), "{promoted}");
    assert_eq!(output(program(&home).args(["user", "promote", "nobody@example.org"])).0, 1);

    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.0.wait().unwrap().success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("SIGTERM") && rest.contains("stopped"), "{rest}");
    assert!(!rest.contains("123456"));
    assert_eq!(output(program(&home).args(["healthcheck", "--listen", &address])).0, 1);
}
