//! The head of a request is read in one way, or refused: a proxy in front must not read another request than the server.

use auth_tests::{App, Response};
use hyper::header::HOST;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What follows a request whose end may be in dispute. It must never be answered.
const SMUGGLED: &str = "GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n";

fn assert_refused(answer: &Response, what: &str) {
    assert_eq!((answer.status, answer.text("code")), (400, "malformed_request".to_owned()), "{what}");
    assert_eq!(answer.text("status"), "fail", "{what}");
    assert!(answer.header("X-Request-Id").is_some(), "{what}");
    assert_eq!(answer.header("Connection"), Some("close"), "{what}");
}

#[tokio::test]
async fn a_request_without_exactly_one_valid_host_is_refused_on_every_path() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for path in ["/livez", "/auth/verify", "/auth/verify/x", "/docs", "/nowhere"] {
        for hosts in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nhost: b\r\n",
            "Host: a b\r\n",
            "Host: a,b\r\n",
            "Host: u@a\r\n",
            "Host: a/\r\n",
            "Host:\r\n",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\n{hosts}Authorization: Bearer {token}\r\n\r\n{SMUGGLED}");
            let answers = app.client().exchange(request.as_bytes()).await;
            assert_eq!(answers.len(), 1, "{path} {hosts:?}");
            assert_refused(&answers[0], &format!("{path} {hosts:?}"));
        }
    }
}

#[tokio::test]
async fn http_1_0_may_come_without_a_host_and_an_absolute_target_with_any() {
    let app = App::in_memory().await;
    for request in [
        "GET /livez HTTP/1.0\r\n\r\n",
        "GET /livez HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET http://a/livez HTTP/1.1\r\nHost: b:5000\r\nConnection: close\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: [::1]:5000\r\nConnection: close\r\n\r\n",
    ] {
        let answers = app.client().exchange(request.as_bytes()).await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200], "{request:?}");
    }
    let answers = app.client().exchange(b"GET http://a/livez HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_refused(&answers[0], "an absolute target does not replace the field");
}

#[tokio::test]
async fn a_transfer_coding_other_than_chunked_once_is_refused_and_ends_the_connection() {
    let app = App::in_memory().await;
    for coding in [
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: ,chunked",
    ] {
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{coding}\r\n\r\n0\r\n\r\n{SMUGGLED}"
        );
        let answers = app.client().exchange(request.as_bytes()).await;
        assert_eq!(answers.len(), 1, "{coding}");
        assert_refused(&answers[0], coding);
    }
}

/// What `hyper` refuses by itself has no envelope; what it reads by the rule of RFC 9112 §6.3 ends the connection.
#[tokio::test]
async fn nothing_is_smuggled_behind_a_disputed_length() {
    let app = App::in_memory().await;
    let length = SMUGGLED.len();
    for fields in [
        "Transfer-Encoding: chunked\r\nContent-Length: 5".to_owned(),
        "Content-Length: 5\r\nTransfer-Encoding: chunked".to_owned(),
        format!("Content-Length: 5\r\nContent-Length: {length}"),
        format!("Content-Length: {length}, 5"),
        "Content-Length: 5, 5".to_owned(),
        "Content-Length: +5".to_owned(),
        "Content-Length: 0x5".to_owned(),
        "Content-Length: -1".to_owned(),
        "Content-Length : 5".to_owned(),
        "Content-Length: 5\r\n 0".to_owned(),
        "X-Folded: a\r\n Content-Length: 5".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: \u{b}chunked".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
    ] {
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}\r\n\r\n0\r\n\r\n{SMUGGLED}"
        );
        let answers = app.client().exchange(request.as_bytes()).await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [400], "{fields:?}");
    }
    let old = format!("POST /auth/login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    let answers = app.client().exchange(old.as_bytes()).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [400], "RFC 9112 §6.1");
}

#[tokio::test]
async fn http_2_brings_its_authority_and_no_other_host() {
    let app = App::in_memory().await;
    for (host, status) in [(None, 200), (Some("A.example"), 200), (Some("b.example"), 400)] {
        let stream = TcpStream::connect(app.client().address()).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = hyper::Request::get("http://a.example/livez");
        let request = host.into_iter().fold(request, |request, host| request.header(HOST, host)).body(()).unwrap();
        let (answer, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), status, "{host:?}");
        assert!(answer.headers().contains_key("x-request-id"), "{host:?}");
        let body = answer.into_body().data().await.unwrap().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"].as_str(), (status == 400).then_some("malformed_request"), "{host:?}");
    }
}

/// Sends `head`, and returns what comes before anything of the body was sent.
async fn expect_continue(app: &App, head: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(app.client().address()).await.unwrap();
    let head = format!("{head}\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = vec![0; "HTTP/1.1 100".len()];
    stream.read_exact(&mut status).await.unwrap();
    (stream, String::from_utf8(status).unwrap())
}

#[tokio::test]
async fn a_body_that_would_be_refused_is_not_asked_for() {
    let app = App::in_memory().await;
    let json = "Content-Type: application/json";
    for (head, status, code) in [
        (format!("POST /auth/login HTTP/1.1\r\n{json}\r\nContent-Length: 99999999"), 413, "payload_too_large"),
        (format!("POST /user/ HTTP/1.1\r\n{json}\r\nContent-Length: 16385"), 413, "payload_too_large"),
        (
            "POST /auth/login HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 9".into(),
            415,
            "unsupported_media_type",
        ),
        (
            format!("POST /auth/login HTTP/1.1\r\n{json}\r\nContent-Encoding: gzip\r\nContent-Length: 9"),
            415,
            "unsupported_media_type",
        ),
        (format!("POST /user/me/password HTTP/1.1\r\n{json}\r\nContent-Length: 9"), 401, "token_missing"),
        (format!("POST /nowhere HTTP/1.1\r\n{json}\r\nContent-Length: 9"), 404, "not_found"),
    ] {
        let (mut stream, first) = expect_continue(&app, &head).await;
        assert_eq!(first, format!("HTTP/1.1 {status}"), "{head}");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.expect("the connection is closed: the body may still be on its way");
        assert!(rest.contains(code), "{head}: {rest}");
    }
}

#[tokio::test]
async fn a_body_that_may_be_good_is_asked_for_and_still_bounded() {
    let app = App::in_memory().await;
    let json = "Content-Type: application/json";
    let body = r#"{"email":"ada@example.com","password":"123456"}"#;
    let sized = format!("POST /auth/login HTTP/1.1\r\n{json}\r\nConnection: close\r\nContent-Length: {}", body.len());
    let chunked = format!("POST /auth/login HTTP/1.1\r\n{json}\r\nConnection: close\r\nTransfer-Encoding: chunked");
    let large = format!("{:x}\r\n{}\r\n0\r\n\r\n", 17_000, "x".repeat(17_000));
    for (head, body, code) in [(sized, body, "invalid_credentials"), (chunked, &large, "payload_too_large")] {
        let (mut stream, first) = expect_continue(&app, &head).await;
        assert_eq!(first, "HTTP/1.1 100", "{head}");
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains(code), "{head}: {rest}");
    }
}
