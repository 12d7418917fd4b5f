//! Load over HTTP/1.1 with connections kept alive, written by hand so that it costs little beside what it measures.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::Instant;
use url::Url;

use crate::Failure;
use crate::figure::{count, millis};

/// How long an answer may take before the request counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it is sent, and where to.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) authority: Arc<str>,
    pub(crate) bytes: Arc<[u8]>,
}

impl Request {
    /// A request without a body.
    pub(crate) fn get(url: &Url, headers: &[String]) -> Result<Self, Failure> {
        Self::with("GET", url, headers, None)
    }

    /// A request with a JSON body.
    pub(crate) fn post(url: &Url, headers: &[String], body: &str) -> Result<Self, Failure> {
        Self::with("POST", url, headers, Some(("application/json", body)))
    }

    /// A request with a form for its body.
    pub(crate) fn form(url: &Url, headers: &[String], body: &str) -> Result<Self, Failure> {
        Self::with("POST", url, headers, Some(("application/x-www-form-urlencoded", body)))
    }

    fn with(method: &str, url: &Url, headers: &[String], body: Option<(&str, &str)>) -> Result<Self, Failure> {
        if url.scheme() != "http" {
            return Err("only http:// is measured: TLS would be what is measured then".into());
        }
        let host = url.host_str().ok_or("the URL names no host")?;
        let authority = format!("{host}:{}", url.port_or_known_default().unwrap_or(80));
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: auth-bench\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if let Some((media_type, body)) = body {
            let _ = write!(text, "Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
        }
        text.push_str("\r\n");
        text.push_str(body.map_or("", |(_, body)| body));
        Ok(Self { authority: authority.into(), bytes: text.into_bytes().into() })
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A connection that is kept alive.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(request: &Request) -> io::Result<Self> {
        let stream = TcpStream::connect(&*request.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends the request and reads the whole answer. Returns its status and where its body begins.
    async fn exchange(&mut self, request: &Request) -> io::Result<(u16, usize)> {
        self.stream.write_all(&request.bytes).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = complete(&self.buffer) {
                return answer;
            }
        }
    }

    /// Returns the status and the body.
    pub(crate) async fn ask_for_bytes(&mut self, request: &Request) -> io::Result<(u16, Vec<u8>)> {
        let (status, body) = self.exchange(request).await?;
        Ok((status, self.buffer[body..].to_vec()))
    }

    /// As text.
    pub(crate) async fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        let (status, body) = self.exchange(request).await?;
        let (head, body) = self.buffer.split_at(body);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { status, head: text(head), body: text(body) })
    }
}

/// Asks once, over a connection of its own.
pub(crate) async fn ask(request: &Request) -> Result<Answer, Failure> {
    Ok(Connection::open(request).await?.ask(request).await?)
}

/// The status and the start of the body, once all of it is there.
pub(crate) fn complete(bytes: &[u8]) -> Option<io::Result<(u16, usize)>> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let Some(status) = bytes.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()) else {
        return Some(Err(io::ErrorKind::InvalidData.into()));
    };
    let header = |name: &[u8]| {
        let mut lines = bytes[..head_end].split(|byte| *byte == b'\n');
        lines.find_map(|line| {
            let (found, value) = line.split_at_checked(name.len())?;
            found.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
        })
    };
    let body = &bytes[head_end..];
    let whole = match header(b"content-length:") {
        Some(length) => std::str::from_utf8(length).ok()?.parse().is_ok_and(|length: usize| body.len() >= length),
        None if header(b"transfer-encoding:").is_some() => body.ends_with(b"0\r\n\r\n"),
        None => true,
    };
    whole.then_some(Ok((status, head_end)))
}

/// What a load has seen.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Latencies of the answers with a good status, in milliseconds.
    pub(crate) latencies: Vec<f64>,
    /// Answers with status 401.
    pub(crate) refused: usize,
    /// Answers with status 503 or 429.
    pub(crate) shed: usize,
    /// Requests whose client went away before it was answered, as it was told to.
    pub(crate) hung_up: usize,
    /// Everything else that came back, or did not.
    pub(crate) failed: usize,
    pub(crate) seconds: f64,
}

impl Outcome {
    pub(crate) fn note(&mut self, answered: &io::Result<u16>, took: Duration) {
        match answered {
            Ok(200..=299) => self.latencies.push(millis(took)),
            Ok(401) => self.refused += 1,
            Ok(503 | 429) => self.shed += 1,
            _ => self.failed += 1,
        }
    }

    /// Takes in what another part of the load has seen. The time is not added up.
    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.refused += other.refused;
        self.shed += other.shed;
        self.hung_up += other.hung_up;
        self.failed += other.failed;
    }

    /// Answers other than good ones, and requests that got none.
    pub(crate) fn lost(&self) -> usize {
        self.refused + self.shed + self.failed
    }

    /// Good answers a second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.latencies.len()) / self.seconds
    }
}

/// So many clients that each ask again once they are answered, for some time. One thread; what is under way at the end
/// is waited for and counts with the time it took.
pub(crate) async fn closed_loop(request: &Request, clients: usize, lasting: Duration) -> Result<Outcome, Failure> {
    let stop = Rc::new(Cell::new(false));
    let load = Clients::start(&[Habit::patient(request)], clients, &stop);
    load.run_for(lasting, &stop).await
}

/// What a client does over and over.
#[derive(Clone)]
pub(crate) struct Habit {
    pub(crate) request: Request,
    /// It goes away when it was not answered by then.
    pub(crate) hangs_up_after: Option<Duration>,
}

impl Habit {
    /// Waits for each answer.
    pub(crate) fn patient(request: &Request) -> Self {
        Self { request: request.clone(), hangs_up_after: None }
    }
}

/// Clients in a closed loop, until they are told to stop.
pub(crate) struct Clients {
    local: LocalSet,
    seen: Rc<RefCell<Outcome>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Clients {
    /// So many clients, to whom the habits are dealt in turn.
    pub(crate) fn start(habits: &[Habit], clients: usize, stop: &Rc<Cell<bool>>) -> Self {
        let local = LocalSet::new();
        let seen = Rc::new(RefCell::new(Outcome::default()));
        let dealt = habits.iter().cycle().take(clients).cloned();
        let tasks = dealt.map(|habit| local.spawn_local(client(habit, Rc::clone(&seen), Rc::clone(stop)))).collect();
        Self { local, seen, tasks }
    }

    /// Lets the clients work beside `other`, and then until what they have asked for is answered.
    pub(crate) async fn beside<T>(self, other: impl Future<Output = T>, stop: &Rc<Cell<bool>>) -> (T, Outcome) {
        let Self { local, seen, tasks } = self;
        let began = Instant::now();
        let result = local.run_until(other).await;
        stop.set(true);
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        local.run_until(all).await;
        let mut outcome = seen.take();
        outcome.seconds = began.elapsed().as_secs_f64();
        (result, outcome)
    }

    pub(crate) async fn run_for(self, lasting: Duration, stop: &Rc<Cell<bool>>) -> Result<Outcome, Failure> {
        let ((), outcome) = self.beside(tokio::time::sleep(lasting), stop).await;
        if outcome.latencies.is_empty() {
            return Err("no request was answered with success: is the server up, and the token good?".into());
        }
        Ok(outcome)
    }
}

async fn client(habit: Habit, seen: Rc<RefCell<Outcome>>, stop: Rc<Cell<bool>>) {
    let mut connection = None;
    while !stop.get() {
        let began = Instant::now();
        let patience = habit.hangs_up_after.unwrap_or(PATIENCE);
        let answered = tokio::time::timeout(patience, ask_over(&mut connection, &habit.request)).await;
        if answered.is_err() && habit.hangs_up_after.is_some() {
            seen.borrow_mut().hung_up += 1;
            continue;
        }
        let answered = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if !matches!(answered, Ok(200..=299 | 401)) {
            // Who is refused does not come again at once: that would measure refusing.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        seen.borrow_mut().note(&answered, began.elapsed());
    }
}

async fn ask_over(connection: &mut Option<Connection>, request: &Request) -> io::Result<u16> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(request).await?,
    };
    let (status, _) = open.exchange(request).await?;
    *connection = Some(open);
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for end in 0..answer.len() {
            assert!(complete(&answer[..end]).is_none(), "complete after {end} bytes");
        }
        assert_eq!(complete(answer).unwrap().unwrap(), (200, 38));
        let chunked = b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        assert!(complete(&chunked[..chunked.len() - 3]).is_none());
        assert_eq!(complete(chunked).unwrap().unwrap().0, 401);
        assert!(complete(b"HTTP/1.1 x\r\n\r\n").unwrap().is_err());
    }

    #[test]
    fn a_request_says_what_it_was_told() {
        let url: Url = "http://localhost:81/a?b=c".parse().unwrap();
        let request = Request::post(&url, &["Authorization: Bearer x".to_owned()], "{}").unwrap();
        let text = String::from_utf8(request.bytes.to_vec()).unwrap();
        assert!(text.starts_with("POST /a?b=c HTTP/1.1\r\nHost: localhost:81\r\n"), "{text}");
        assert!(text.contains("\r\nAuthorization: Bearer x\r\n") && text.ends_with("Content-Length: 2\r\n\r\n{}"));
        assert!(Request::get(&"https://localhost/".parse().unwrap(), &[]).is_err());
    }
}
