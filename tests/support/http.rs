//! A small HTTP/1.1 client that sends exactly what it is told to, also what no decent client would send.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Talks to the server at one address, one connection a request.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    /// A client of the server at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Starts a request.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let head = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        Request { address: self.address, head, body: Vec::new(), declares_length: true, is_head: method == "HEAD" }
            .header("Host", &self.address.to_string())
            .header("Connection", "close")
    }

    /// Starts a `GET`.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// Starts a `POST`.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// Sends these bytes on a connection of their own, as they are, and reads answers until the server closes it.
    pub async fn exchange(&self, bytes: &[u8]) -> Vec<Response> {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(bytes).await.expect("sent");
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).await.expect("read to the end");
        let mut rest = answers.as_slice();
        let mut parsed = Vec::new();
        while !rest.is_empty() {
            let response = Response::parse(rest, false).expect("whole answers");
            let length: usize = response.header("Content-Length").map_or(0, |length| length.parse().expect("a length"));
            let head = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
            rest = &rest[head + 4 + length..];
            parsed.push(Response { body: response.body[..length].to_owned(), ..response });
        }
        parsed
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A request that is being put together. Headers are sent in the order and as often as they are given.
#[derive(Debug)]
#[must_use]
pub struct Request {
    address: SocketAddr,
    head: Vec<u8>,
    body: Vec<u8>,
    declares_length: bool,
    is_head: bool,
}

impl Request {
    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    /// Adds a header whose value need not be text.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value);
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// Adds the header that carries a token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Sets the body to JSON.
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string().as_bytes())
    }

    /// Sets the body.
    pub fn body(mut self, content_type: &str, bytes: &[u8]) -> Self {
        bytes.clone_into(&mut self.body);
        self.header("Content-Type", content_type)
    }

    /// Sets the body as it goes over the wire and leaves it to the other headers to say where it ends.
    pub fn without_length(mut self, bytes: &[u8]) -> Self {
        bytes.clone_into(&mut self.body);
        self.declares_length = false;
        self
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Response {
        self.try_send().await.expect("the server answers")
    }

    /// Sends it and reads the whole answer, from a server that may go away in the middle.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or the answer ends before it is complete: then nothing is known.
    pub async fn try_send(self) -> io::Result<Response> {
        let length = self.body.len().to_string();
        let silent = self.body.is_empty() || !self.declares_length;
        let request = if silent { self } else { self.header("Content-Length", &length) };
        let mut stream = TcpStream::connect(request.address).await?;
        let is_head = request.is_head;
        let message = [&request.head, b"\r\n".as_slice(), &request.body].concat();
        stream.write_all(&message).await?;
        let mut answer = Vec::new();
        // Not always to the end: a server that refused a body unread may keep the connection open for the rest of it.
        while !is_whole(&answer, is_head) && stream.read_buf(&mut answer).await? > 0 {}
        Response::parse(&answer, is_head).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Response {
    /// Parses an answer. `to_head` says that the request was a `HEAD`, whose answer has no body whatever its length field says
    /// (RFC 9110 §9.3.2). Returns `None` if it is cut off.
    fn parse(answer: &[u8], to_head: bool) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..end]).expect("the head is text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').expect("a header has a colon"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = &answer[end + 4..];
        let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let length: Option<usize> = value("content-length").map(|length| length.parse().expect("a length is a number"));
        if !to_head && length.is_some_and(|length| body.len() < length) {
            return None;
        }
        let chunked = value("transfer-encoding") == Some("chunked");
        let body = if chunked { unchunked(body)? } else { body.to_owned() };
        let status = status.parse().expect("a status code");
        Some(Self { status, headers, body: String::from_utf8(body).expect("the body is text") })
    }

    /// The value of the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON. It must be declared as such.
    #[must_use]
    pub fn json(&self) -> Value {
        let content_type = self.header("Content-Type").unwrap_or_default();
        assert!(content_type.starts_with("application/json"), "not JSON but {content_type:?}: {}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// One member of the JSON body, as text.
    #[must_use]
    pub fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no text {member:?} in {}", self.body)).to_owned()
    }
}

/// Checks status and code of an error, and what every error has in common. `what` is shown if the check fails.
pub fn assert_refused(answer: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{what}");
    assert_eq!(answer.text("status"), "fail", "{what}");
    assert_eq!(answer.text("code"), code, "{what}");
    assert!(!answer.text("message").is_empty(), "{what}");
    assert!(answer.header("X-Request-Id").is_some(), "{what}");
    assert!(status != 401 || answer.header("WWW-Authenticate").is_some(), "{what}: a 401 carries a challenge");
    let is_temporary = matches!(status, 429 | 503);
    assert!(!is_temporary || answer.header("Retry-After").is_some(), "{what}: a {status} says when to come back");
}

/// Whether these bytes are a whole answer that says how long it is.
fn is_whole(answer: &[u8], to_head: bool) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    to_head || length.is_some_and(|length| answer.len() >= end + 4 + length)
}

/// The data of a body that was sent in chunks (RFC 9112 §7.1); `None` if it is cut off.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).expect("a chunk size is text");
        let size = usize::from_str_radix(size, 16).expect("a chunk size is hexadecimal");
        if size == 0 {
            return Some(data);
        }
        data.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}
