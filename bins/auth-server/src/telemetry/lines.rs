//! Lines of the log on their way to standard error.
//!
//! Whoever logs appends to a bounded buffer and goes on; one thread writes it out. So a full disk, a pipe whose reader
//! is gone and a pipe that nobody reads cost lines of the log, which are counted, and never a request.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most bytes that wait to be written. Lines that do not fit are lost.
const MAX_WAITING: usize = 1024 * 1024;

/// How long to wait before writing again where standard error does not block and takes nothing now.
const WRITE_PAUSE: Duration = Duration::from_millis(10);

/// A bounded queue of lines with one thread that writes them.
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    /// Signalled when something waits to be written.
    filled: Condvar,
    /// Signalled when nothing does any more.
    written: Condvar,
    started: AtomicBool,
    lost: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    panics: Vec<Panicked>,
    /// Whether a batch has been taken out and is being written.
    writing: bool,
}

/// Lines that are written together.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
}

/// A panic that is still to be logged.
pub(super) struct Panicked {
    pub(super) place: String,
    pub(super) message: String,
}

impl Lines {
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

    /// Starts the thread that writes, once.
    pub(super) fn start(&'static self) -> io::Result<()> {
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut out = Out::new(io::stderr());
            // A panic here would be one in a formatter of a log line. The next line is written all the same.
            while std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.write_to(&mut out))).is_err() {}
        });
        thread.map(drop).inspect_err(|_| self.started.store(false, Ordering::Release))
    }

    /// Takes a line to be written. Neither fails nor waits for standard error.
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

    /// Takes a panic to be logged. The thread that panicked may be in the middle of formatting a line, or at its end, so
    /// it logs nothing itself.
    pub(super) fn push_panic(&self, panicked: Panicked) {
        self.lock().panics.push(panicked);
        self.filled.notify_one();
    }

    /// Waits until everything is written, at most for `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        if !self.started.load(Ordering::Acquire) {
            return;
        }
        let busy =
            |waiting: &mut Waiting| waiting.writing || !waiting.batch.ends.is_empty() || !waiting.panics.is_empty();
        drop(self.written.wait_timeout_while(self.lock(), patience, busy));
    }

    /// How many lines were lost: because the buffer was full, or because they could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes, for ever.
    fn write_to(&self, out: &mut Out<impl Write>) {
        let mut told = self.lost();
        loop {
            let (batch, panics) = self.take();
            let failed = out.write(&batch);
            self.lost.fetch_add(failed, Ordering::Relaxed);
            for Panicked { place, message } in panics {
                tracing::error!(place, panic = message, "panicked");
            }
            let lost = self.lost();
            if failed == 0 && lost > told {
                tracing::warn!(lines = lost - told, "lines of the log were lost; standard error took nothing");
                told = lost;
            }
        }
    }

    /// Waits for something to write, and takes it out.
    fn take(&self) -> (Batch, Vec<Panicked>) {
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

/// Where lines are written, and whether the last one was cut off.
struct Out<W> {
    to: W,
    torn: bool,
}

impl<W: Write> Out<W> {
    fn new(to: W) -> Self {
        Self { to, torn: false }
    }

    /// Writes a batch and returns how many of its lines were not written whole.
    fn write(&mut self, batch: &Batch) -> u64 {
        if self.torn && !batch.ends.is_empty() {
            // What follows does not belong to the half line before it.
            self.torn = self.write_bytes(b"\n") == 0;
        }
        let written = self.write_bytes(&batch.bytes);
        let whole = batch.ends.partition_point(|end| *end <= written);
        let line_begins = whole.checked_sub(1).map_or(0, |last| batch.ends[last]);
        self.torn |= written > line_begins;
        (batch.ends.len() - whole) as u64
    }

    /// Writes until an error and returns how many bytes were taken.
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

    /// Takes `room` bytes, then fails.
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
    fn a_full_disk_loses_lines_that_are_counted_and_the_next_line_begins_anew() {
        let mut out = Out::new(Disk { room: 6, text: Vec::new() });
        assert_eq!(out.write(&batch(&["one\n", "two\n", "three\n"])), 2);
        assert_eq!(out.write(&batch(&["four\n"])), 1);
        out.to.room = 100;
        assert_eq!(out.write(&batch(&["five\n", "six\n"])), 0);
        assert_eq!(out.write(&batch(&["seven\n"])), 0);
        assert_eq!(String::from_utf8(out.to.text).unwrap(), "one\ntw\nfive\nsix\nseven\n");
    }

    #[test]
    fn a_line_that_finds_no_room_is_lost_and_nobody_waits() {
        let lines = Lines::new();
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
