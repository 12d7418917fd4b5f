use poem::EndpointExt as _;
use poem::endpoint::make;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;

const SHORT: Duration = Duration::from_millis(20);

/// The preface of HTTP/2, empty settings and the acknowledgement of the server's.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

struct RoutesOnly<E>(E);

impl<E: Endpoint<Output = Response>> Endpoint for RoutesOnly<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        self.0.call(request).await
    }
}

impl<E: Endpoint<Output = Response>> Application for RoutesOnly<E> {}

/// Starts a server that answers when `go_on` is notified and soon closes idle connections.
async fn start(go_on: Arc<Notify>) -> SocketAddr {
    let endpoint = make(move |_| {
        let go_on = Arc::clone(&go_on);
        async move { go_on.notified().await }
    });
    let application = RoutesOnly(endpoint.map_to_response());
    let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), application).await.unwrap();
    server.idle_timeout = SHORT;
    let address = server.address();
    tokio::spawn(server.run(std::future::pending(), SHORT));
    address
}

/// Reads until the server closes the connection.
async fn is_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    tokio::time::timeout(HEAD_TIMEOUT / 2, stream.read_to_end(&mut all)).await.expect("it is closed").unwrap();
    all
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_an_active_request_is_not() {
    let go_on = Arc::new(Notify::new());
    let address = start(Arc::clone(&go_on)).await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    for _ in 0..3 {
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(HTTP_2).await.unwrap();
        is_closed(&mut idle).await;
    }
    go_on.notify_one();
    assert!(is_closed(&mut busy).await.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_client_that_ignores_the_stop_does_not_delay_it() {
    let application = RoutesOnly(make(|_| async {}).map_to_response());
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), application).await.unwrap();
    let mut deaf = TcpStream::connect(server.address()).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { stopped.await.unwrap() }, HEAD_TIMEOUT));
    deaf.write_all(HTTP_2).await.unwrap();
    deaf.read_exact(&mut [0; 9]).await.unwrap();
    stop.send(()).unwrap();
    let finished = tokio::time::timeout(HEAD_TIMEOUT / 2, running).await.expect("it stops").unwrap();
    assert!(finished, "no request was under way");
}

/// Starts a server with this limit of connections that answers at once.
async fn start_limited(limit: usize) -> (SocketAddr, Arc<Connections>) {
    let application = RoutesOnly(make(|_| async {}).map_to_response());
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), application).await.unwrap().with_max_connections(limit);
    let (address, connections) = (server.address(), server.connections());
    tokio::spawn(server.run(std::future::pending(), SHORT));
    (address, connections)
}

/// Makes a request and waits for its response.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(HEAD_TIMEOUT / 2, stream.read_u8()).await.expect("it is answered");
        head.push(byte.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn the_oldest_idle_connection_is_closed_for_a_new_one() {
    let (address, connections) = start_limited(3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream).await;
        open.push(stream);
    }
    let mut first = open.remove(0);
    ask(&mut first).await;
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    ask(&mut newcomer).await;
    assert_eq!(is_closed(&mut open[0]).await, b"", "the one that was not used for longest");
    for stream in [&mut first, &mut open[1], &mut newcomer] {
        ask(stream).await;
    }
    assert_eq!((connections.open(), connections.limit(), connections.evictions()), (3, 3, 1));
}

#[tokio::test]
async fn connections_without_requests_keep_no_client_out_even_if_they_come_back() {
    let (address, connections) = start_limited(8).await;
    let mut holders = Vec::new();
    for number in 0..16 {
        holders.push(tokio::spawn(async move {
            loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let say: &[u8] = [b"", HTTP_2, b"GET / HTT", b"\r\n"][number % 4];
                let _ = stream.write_all(say).await;
                while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
            }
        }));
    }
    for _ in 0..50 {
        ask(&mut TcpStream::connect(address).await.unwrap()).await;
    }
    assert!(connections.evictions() > 0);
    holders.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_connection_with_an_active_request_is_not_closed_and_a_new_one_waits() {
    let go_on = Arc::new(Notify::new());
    let held = Arc::clone(&go_on);
    let endpoint = make(move |_| {
        let held = Arc::clone(&held);
        async move { held.notified().await }
    });
    let application = RoutesOnly(endpoint.map_to_response());
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), application).await.unwrap().with_max_connections(1);
    let (address, connections) = (server.address(), server.connections());
    tokio::spawn(server.run(std::future::pending(), SHORT));
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(request).await.unwrap();
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    newcomer.write_all(request).await.unwrap();
    for mut stream in [busy, newcomer] {
        go_on.notify_one();
        assert!(is_closed(&mut stream).await.starts_with(b"HTTP/1.1 200 OK"));
    }
    assert_eq!(connections.evictions(), 0);
}
