//! A mail server that takes every letter and keeps none (RFC 5321).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Failure;

/// The mail server. It ends when this is dropped.
pub(super) struct Sink {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Sink {
    pub(super) async fn listen() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let received = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&received);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&count)));
            }
        });
        Ok(Self { address, received, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of letters so far.
    pub(super) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Answers the commands of one connection until it ends.
async fn converse(stream: TcpStream, received: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let (mut line, mut is_data) = (Vec::new(), false);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.trim_ascii_end() {
            b"." if is_data => {
                is_data = false;
                received.fetch_add(1, Ordering::Relaxed);
                b"250 taken\r\n"
            }
            _ if is_data => continue,
            b"DATA" => {
                is_data = true;
                b"354 go on\r\n"
            }
            b"QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}
