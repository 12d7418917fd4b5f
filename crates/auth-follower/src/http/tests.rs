use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A client of a server that gives one of these answers on each connection, and then closes it.
pub(crate) async fn client(answers: &'static [&'static str]) -> HttpClient {
    client_of(answers, false).await
}

/// A client of a server that gives one of these answers on each connection, and then closes it or says nothing more.
async fn client_of(answers: &'static [&'static str], stays_open: bool) -> HttpClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            open.extend(Some(stream).filter(|_| stays_open));
        }
        std::future::pending::<()>().await;
    });
    HttpClient::new(ServerUrl::parse(&url, false).unwrap(), Tls::new(None).unwrap())
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() == length.map_or(0, |length| length.parse().unwrap())
}

async fn get(client: &HttpClient) -> Result<Reply, BoxError> {
    let within = Duration::from_secs(5);
    client.ask(Ask { path: "/", headers: Vec::new(), form: None, within, max_bytes: 16 }).await
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let client =
        client(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo"])
            .await;
    assert_eq!(get(&client).await.unwrap().body, "one");
    assert_eq!(get(&client).await.unwrap().body, "two");
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_replaced_before_it_is_tried() {
    let answers =
        &["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo"];
    let client = client_of(answers, true).await;
    assert_eq!(get(&client).await.unwrap().body, "one");
    tokio::time::pause();
    tokio::time::advance(MAX_IDLE).await;
    tokio::time::resume();
    assert_eq!(get(&client).await.unwrap().body, "two", "the first connection would not have answered");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let client = client(&["HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"]).await;
    assert_eq!(get(&client).await.unwrap().status, 302);
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_cut_off_is_none() {
    for answers in [
        &["HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n01234567890123456"],
        &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n0123"],
        &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n"],
        &["no HTTP"],
    ] {
        assert!(get(&client(answers).await).await.is_err(), "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let client = client(&[]).await;
    assert!(get(&client).await.unwrap_err().is::<TimedOut>());
}

#[test]
fn certificates_are_read_from_pem_and_nothing_else() {
    assert!(Tls::new(None).is_ok());
    for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(Tls::new(Some(pem.as_bytes())), Err(FollowError::Certificates)), "{pem:?}");
    }
}
