//! Clients that are slow or go away, and the end of the server, on a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::SystemClock;
use auth_core::memory::MemoryStore;
use auth_server::config::{Config, Sources};
use auth_server::server::Server;
use auth_server::{App, ServerStores};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn start() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<bool>) {
    let store = Arc::new(MemoryStore::new().unwrap());
    let env = [("AUTH_ENV".to_owned(), "test".to_owned())].into();
    let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
    let app = App::with_stores(&config, Arc::new(SystemClock), ServerStores::from(store)).unwrap();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), app.endpoint()).await.unwrap();
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { drop(stopped.await) }, Duration::from_secs(10)));
    (address, stop, running)
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_request_under_way_finishes_after_the_signal_to_stop() {
    let (address, stop, running) = start().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    let body = r#"{"email":"a@b.example","username":"a","password":"123456"}"#;
    let head = format!(
        "POST /user/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once a handler has the request, so from here on the request is active.
    let mut go_on = [0; 25];
    busy.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stop.send(()).unwrap();
    // The listener is closed before the connections are.
    assert_eq!(answer(&mut idle).await, "", "an idle connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "no new connection is accepted");
    busy.write_all(body.as_bytes()).await.unwrap();
    assert!(answer(&mut busy).await.starts_with("HTTP/1.1 201 Created"));
    assert!(running.await.unwrap(), "everything finished in time");
}

#[tokio::test]
async fn a_body_in_pieces_and_one_of_false_length_are_both_bounded() {
    let (address, _stop, _running) = start().await;
    let mut chunked = TcpStream::connect(address).await.unwrap();
    chunked
        .write_all(b"POST /user/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..20 {
        let piece = format!("400\r\n{}\r\n", "x".repeat(0x400));
        if chunked.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut start_of_answer = [0; 12];
    chunked.read_exact(&mut start_of_answer).await.unwrap();
    assert_eq!(&start_of_answer, b"HTTP/1.1 413");

    let mut short = TcpStream::connect(address).await.unwrap();
    short
        .write_all(
            b"POST /user/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{}",
        )
        .await
        .unwrap();
    short.shutdown().await.unwrap();
    let text = answer(&mut short).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{text}");
}

#[tokio::test]
async fn two_requests_share_a_connection() {
    let (address, _stop, _running) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(answer(&mut stream).await.matches("HTTP/1.1 200 OK").count(), 2);
}
