//! A bounded queue between the threads that log and standard error.
//!
//! A thread that logs appends to the queue and continues; another thread writes. So a full disk, a pipe without a reader and a pipe
//! that nobody reads lose log lines, which are counted, and never delay a request.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Capacity of the queue in bytes. Lines that do not fit are lost.
const MAX_WAITING: usize = 1024 * 1024;

/// Pause before another attempt to write to a standard error that does not block and accepts nothing.
const WRITE_PAUSE: Duration = Duration::from_millis(10);

/// A bounded queue of lines, with one thread that writes them.
pub(super) struct LineQueue {
    waiting: Mutex<Waiting>,
    /// Notified when something was added to an empty queue.
    filled: Condvar,
    /// Notified when the queue is empty and everything is written.
    written: Condvar,
    started: AtomicBool,
    lost: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    panics: Vec<PanicReport>,
    /// True while a batch that was removed from the queue is written.
    writing: bool,
}

/// Lines that are written with one call.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// The end of each line in `bytes`.
    ends: Vec<usize>,
}

/// A panic that will be logged.
pub(super) struct PanicReport {
    pub(super) place: String,
    pub(super) message: String,
}

impl LineQueue {
    pub(super) const fn new() -> Self {
        let batch = Batch { bytes: Vec::new(), ends: Vec::new() };
        Self {
            waiting: Mutex::new(Waiting { batch, panics: Vec::new(), writing: false }),
            filled: Condvar::new(),
            written: Condvar::new(),
            started: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        }
    }

    /// Starts the thread that writes, if it was not started before.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub(super) fn start(&'static self) -> io::Result<()> {
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut out = LineWriter::new(io::stderr());
            // Formatting the log line of a panic may panic itself. Writing goes on after that.
            while std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.write_to(&mut out))).is_err() {}
        });
        thread.map(drop).inspect_err(|_| self.started.store(false, Ordering::Release))
    }

    /// Adds a line. It is lost if the queue is full; this never waits for standard error.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.batch.bytes.len() + line.len() > MAX_WAITING {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.batch.bytes.extend_from_slice(line);
        let end = waiting.batch.bytes.len();
        waiting.batch.ends.push(end);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Adds a panic to be logged. The thread that panicked may be formatting a line, or ending, so it cannot log by itself.
    pub(super) fn push_panic(&self, panicked: PanicReport) {
        self.lock().panics.push(panicked);
        self.filled.notify_one();
    }

    /// Waits until everything is written, at most for `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        if !self.started.load(Ordering::Acquire) {
            return;
        }
        let busy =
            |waiting: &mut Waiting| waiting.writing || !waiting.batch.ends.is_empty() || !waiting.panics.is_empty();
        drop(self.written.wait_timeout_while(self.lock(), timeout, busy));
    }

    /// Returns the number of lines that were lost because the queue was full or writing failed.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes whatever is added, without end.
    fn write_to(&self, out: &mut LineWriter<impl Write>) {
        let mut reported = self.lost();
        loop {
            let (batch, panics) = self.take();
            let failed = out.write(&batch);
            self.lost.fetch_add(failed, Ordering::Relaxed);
            for PanicReport { place, message } in panics {
                tracing::error!(place, panic = message, "panicked");
            }
            let lost = self.lost();
            if failed == 0 && lost > reported {
                tracing::warn!(lines = lost - reported, "lines of the log were lost; standard error took nothing");
                reported = lost;
            }
        }
    }

    /// Waits until the queue is not empty, and empties it.
    fn take(&self) -> (Batch, Vec<PanicReport>) {
        let mut waiting = self.lock();
        waiting.writing = false;
        loop {
            if !waiting.batch.ends.is_empty() || !waiting.panics.is_empty() {
                waiting.writing = true;
                return (std::mem::take(&mut waiting.batch), std::mem::take(&mut waiting.panics));
            }
            self.written.notify_all();
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes lines, and remembers whether the last one was cut off.
struct LineWriter<W> {
    to: W,
    torn: bool,
}

impl<W: Write> LineWriter<W> {
    fn new(to: W) -> Self {
        Self { to, torn: false }
    }

    /// Writes a batch. Returns the number of its lines that were not written completely.
    fn write(&mut self, batch: &Batch) -> u64 {
        if self.torn && !batch.ends.is_empty() {
            // The next line must not continue one that was cut off.
            self.torn = self.write_bytes(b"\n") == 0;
        }
        let written = self.write_bytes(&batch.bytes);
        let whole = batch.ends.partition_point(|end| *end <= written);
        let line_begins = whole.checked_sub(1).map_or(0, |last| batch.ends[last]);
        self.torn |= written > line_begins;
        (batch.ends.len() - whole) as u64
    }

    /// Writes until an error. Returns the number of bytes that were written.
    fn write_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.to.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(WRITE_PAUSE),
                Err(_) => break,
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that accepts `room` bytes and then fails.
    struct Disk {
        room: usize,
        text: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.text.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for line in lines {
            batch.bytes.extend_from_slice(line.as_bytes());
            batch.ends.push(batch.bytes.len());
        }
        batch
    }

    #[test]
    fn lines_lost_on_a_full_disk_are_counted_and_the_next_line_begins_anew() {
        let mut out = LineWriter::new(Disk { room: 6, text: Vec::new() });
        assert_eq!(out.write(&batch(&["one\n", "two\n", "three\n"])), 2);
        assert_eq!(out.write(&batch(&["four\n"])), 1);
        out.to.room = 100;
        assert_eq!(out.write(&batch(&["five\n", "six\n"])), 0);
        assert_eq!(out.write(&batch(&["seven\n"])), 0);
        assert_eq!(String::from_utf8(out.to.text).unwrap(), "one\ntw\nfive\nsix\nseven\n");
    }

    #[test]
    fn a_line_that_does_not_fit_is_lost_without_waiting() {
        let lines = LineQueue::new();
        let line = vec![b'x'; MAX_WAITING / 4];
        for _ in 0..6 {
            lines.push(&line);
        }
        assert_eq!(lines.lost(), 2);
        let (batch, panics) = lines.take();
        assert_eq!((batch.ends.len(), batch.bytes.len(), panics.len()), (4, MAX_WAITING, 0));
        lines.push(b"room again\n");
        assert_eq!(lines.lost(), 2);
    }
}
