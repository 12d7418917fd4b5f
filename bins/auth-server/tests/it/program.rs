//! The program from its first log line to its exit code, alone and beside other nodes.

use std::io::{Read as _, Write as _};

use tempfile::TempDir;

use crate::process::{PASSWORD, Server, member, operate};

#[test]
fn the_server_starts_on_a_free_port_answers_and_stops_at_a_signal() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[("AUTH_LOG_FORMAT", "json")]);
    let address = server.address.clone();
    let started: serde_json::Value = serde_json::from_str(server.output.lines().last().unwrap()).unwrap();
    assert_eq!(started["address"], address);
    assert_eq!(started["profile"], "dev");
    assert_eq!(started["docs"], format!("http://{address}/docs"));

    assert_eq!(operate(&folder, &[], &["healthcheck", "--listen", &address]).0, 0);
    let body = r#"{"email":"ada@example.org","username":"ada","password":"123456"}"#;
    assert_eq!(server.call("POST", "/user/", None, body).0, 201);
    let (code, promoted, _) = operate(&folder, &[], &["user", "promote", "ada@example.org"]);
    assert!(code == 0 && promoted.contains("\tadmin\t"), "{promoted}");
    assert_eq!(operate(&folder, &[], &["user", "promote", "nobody@example.org"]).0, 1);

    let (status, output) = server.terminate();
    assert!(status.success());
    assert!(output.contains("SIGTERM") && output.contains("stopped"), "{output}");
    assert!(!output.contains("123456"));
    assert_eq!(operate(&folder, &[], &["healthcheck", "--listen", &address]).0, 1);
}

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
    // The server asks for the body once a handler has the request, so from here on the request is active.
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
    // One node reads the database at every check, and one reads the log so rarely that it is behind.
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
