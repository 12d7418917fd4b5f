//! Requests at a fixed rate, whether or not the ones before were answered.
//!
//! Latency counts from the instant at which a request was due, so that a stall is seen by every request that it delays.
//! Threads of its own, which block: a timer of an async runtime is a millisecond coarse, and a check takes less.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::{Outcome, Request, complete};

/// Threads that take turns. A request that is answered before its thread's next turn delays nobody.
const THREADS: u32 = 4;

/// Probes for some time and returns what was seen. Blocks.
pub(crate) fn probe(request: &Request, a_second: u32, lasting: Duration) -> Outcome {
    let every = Duration::from_secs(1) / a_second;
    let began = now() + Duration::from_millis(10);
    let one = |turn: u32| {
        let request = request.clone();
        move || {
            let mut outcome = Outcome::default();
            let mut connection = None;
            for due in
                (0..).map(|round| began + every * (turn + round * THREADS)).take_while(|due| *due < began + lasting)
            {
                thread::sleep(due.saturating_duration_since(now()));
                let answered = ask(&mut connection, &request);
                if answered.is_err() {
                    connection = None;
                }
                outcome.note(&answered, now().saturating_duration_since(due));
            }
            outcome
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|turn| thread::spawn(one(turn))).collect();
    let mut seen = Outcome { seconds: lasting.as_secs_f64(), ..Outcome::default() };
    threads.into_iter().filter_map(|thread| thread.join().ok()).for_each(|outcome| seen.add(outcome));
    seen
}

fn ask(connection: &mut Option<TcpStream>, request: &Request) -> io::Result<u16> {
    if connection.is_none() {
        let stream = TcpStream::connect(&*request.authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        *connection = Some(stream);
    }
    let Some(stream) = connection else { return Err(io::ErrorKind::NotConnected.into()) };
    stream.write_all(&request.bytes)?;
    let (mut buffer, mut filled) = ([0; 4096], 0);
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some(answer) = complete(&buffer[..filled]) {
            return answer.map(|(status, _)| status);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn now() -> Instant {
    Instant::now()
}
