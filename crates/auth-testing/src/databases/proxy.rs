//! A line to a server, of a database or of HTTP, that a test can cut, hold up and let go again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{TestDatabase, TestDatabaseKind, split_url};

/// The fate of the connections through a [`Proxy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Everything goes through.
    Open,
    /// Connections are closed, also new ones.
    Cut,
    /// Connections that are open stay so, and nothing goes through them any more, ever. New ones are served.
    Stalled,
    /// Nothing goes through, on new connections either, until the line changes; then everything arrives late.
    Held,
    /// Whatever the server answers arrives so much later.
    Late(Duration),
    /// Of everything that the server answers at once, only half arrives; then the connection is closed.
    Torn,
    /// As open, until a client sends this text: the server gets it, its answer is lost and the connection is closed. Then
    /// the line is open.
    LosesAnswerTo(&'static str),
}

/// A wire to a server that a test can cut.
#[derive(Debug)]
pub struct Proxy {
    line: Arc<watch::Sender<Line>>,
    server: watch::Sender<String>,
    severed: watch::Sender<()>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy before the server of this database, and the URL through it. `None` for SQLite, which has no server.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn before(database: &TestDatabase) -> Option<(Self, String)> {
        if database.kind() == TestDatabaseKind::Sqlite {
            return None;
        }
        let (scheme, user, server, path) = split_url(database.url());
        let (proxy, address) = Self::before_server(server).await;
        Some((proxy, format!("{scheme}://{user}@{address}/{path}")))
    }

    /// A proxy before the server at this host and port, and the address of the proxy.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn before_server(server: &str) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let line = Arc::new(watch::Sender::new(Line::Open));
        let (server, watched_server) = watch::channel(server.to_owned());
        // The proxy ends with its handle.
        let weak = Arc::downgrade(&line);
        let (severed, watched_severed) = watch::channel(());
        let accepted = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let Some(line) = weak.upgrade() else { return };
                let mut severed = watched_severed.clone();
                // In this order: a connection that is not severed leads to the new server.
                severed.mark_unchanged();
                let server = watched_server.borrow().clone();
                let (watched, weak) = (line.subscribe(), Weak::clone(&weak));
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(client, server, watched, weak) => {}
                        _ = severed.changed() => {}
                    }
                });
            }
        });
        (Self { line, server, severed, accepted }, address)
    }

    /// Number of connections that were opened so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Closes every connection that is open. New ones are served.
    pub fn sever(&self) {
        self.severed.send_replace(());
    }

    /// Leads new connections to the server of this database. Those that are open stay where they are, as when the address
    /// behind a name changes.
    pub fn lead_to(&self, database: &TestDatabase) {
        let (_, _, server, _) = split_url(database.url());
        self.server.send_replace(server.to_owned());
    }

    /// The present state: a line that was to lose one answer is open once it has.
    #[must_use]
    pub fn line(&self) -> Line {
        *self.line.borrow()
    }

    /// Changes what happens, on connections that are open and on those to come.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

/// Carries one connection until an end closes it, or the line does.
async fn carry(client: TcpStream, server: String, mut line: watch::Receiver<Line>, control: Weak<watch::Sender<Line>>) {
    let at_first = *line.borrow();
    if at_first == Line::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let loses_next = Arc::new(AtomicBool::new(false));
    let pump = |from, to, sender| {
        let (loses_next, control) = (Arc::clone(&loses_next), Weak::clone(&control));
        pump(from, to, Pump { sender, at_first, line: line.clone(), loses_next, control })
    };
    let (requests, answers) = (pump(from_client, to_server, End::Client), pump(from_server, to_client, End::Server));
    tokio::select! {
        () = requests => {}
        () = answers => {}
        // Also when the proxy has gone.
        _ = line.wait_for(|line| *line == Line::Cut) => {}
    }
}

struct Pump {
    sender: End,
    /// The state of the line when the connection was opened.
    at_first: Line,
    line: watch::Receiver<Line>,
    /// True if the server's next answer on this connection is lost.
    loses_next: Arc<AtomicBool>,
    control: Weak<watch::Sender<Line>>,
}

impl Pump {
    /// Opens the line again if the client has sent the text whose answer is to be lost.
    fn notice(&self, sent: &[u8]) {
        let Some(control) = self.control.upgrade() else { return };
        let noticed = control.send_if_modified(|line| match *line {
            Line::LosesAnswerTo(text) if sent.windows(text.len()).any(|part| part == text.as_bytes()) => {
                *line = Line::Open;
                true
            }
            _ => false,
        });
        if noticed {
            self.loses_next.store(true, Ordering::Release);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// Carries what one end sends.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut pump: Pump) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        // An error says that the proxy has gone.
        let Ok(now) = pump.line.wait_for(|line| *line != Line::Held).await.map(|line| *line) else { return };
        let mut through = length;
        match now {
            Line::Stalled if pump.at_first != Line::Stalled => {
                // Both ends are kept, and nobody moves a byte.
                std::future::pending::<()>().await;
            }
            Line::Late(by) if pump.sender == End::Server => sleep(by).await,
            Line::Torn if pump.sender == End::Server => through = length / 2,
            Line::LosesAnswerTo(_) if pump.sender == End::Client => pump.notice(&buffer[..length]),
            _ => {}
        }
        if pump.sender == End::Server && pump.loses_next.load(Ordering::Acquire) {
            return;
        }
        if to.write_all(&buffer[..through]).await.is_err() || through < length {
            return;
        }
    }
}
