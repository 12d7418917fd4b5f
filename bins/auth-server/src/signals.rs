//! Signals: SIGTERM and SIGINT stop the process, and SIGHUP has no effect.

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::telemetry;

/// Number of SIGXFSZ on Linux (except MIPS) and on the BSDs: a file would exceed the size limit of the process. By default the
/// signal kills the process. If it is caught, the write fails with an error instead, as on a full disk.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// A signal that asks the process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

impl StopSignal {
    /// Returns the exit code of a command that the signal ended before it was done: 128 plus the number of the signal, as in a
    /// shell.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => 130,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// The signals of this process. A thread of its own waits for them, so that it does not matter if other threads are blocked.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    received: watch::Sender<Option<StopSignal>>,
    /// The orderly stop that was declared. Without one a signal ends the process at once.
    shutdown: Mutex<Option<Shutdown>>,
}

/// An orderly stop with a time limit.
#[derive(Debug, Clone, Copy)]
struct Shutdown {
    timeout: Duration,
    exit_code: Option<u8>,
}

impl Signals {
    /// Catches the signals from now on. A process should do this first: one with the id 1, as in a container, ignores every
    /// signal that it does not catch.
    ///
    /// # Errors
    ///
    /// The operating system has no descriptor or thread left.
    pub fn install() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let caught = {
            let _context = runtime.enter();
            Caught {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
                _file_size: signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED))?,
            }
        };
        let signals = Self::default();
        let shared = Arc::clone(&signals.shared);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || shared.watch(&runtime, caught))?;
        Ok(signals)
    }

    /// Declares that the caller waits for [`stopped`](Self::stopped) and then stops the process in order. If the process has not
    /// ended `timeout` after the signal, it exits with `exit_code`, or with that of the signal.
    pub fn handle_shutdown(&self, timeout: Duration, exit_code: Option<u8>) {
        *self.shared.shutdown.lock().unwrap_or_else(PoisonError::into_inner) = Some(Shutdown { timeout, exit_code });
    }

    /// Waits for a signal to stop. Returns at once if it was received before.
    pub async fn stopped(&self) -> StopSignal {
        let mut received = self.shared.received.subscribe();
        match received.wait_for(Option::is_some).await.map(|stop| *stop) {
            Ok(Some(stop)) => stop,
            // The sender lives as long as `self`.
            _ => std::future::pending().await,
        }
    }
}

struct Caught {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Keeps the signal caught; nothing waits for it.
    _file_size: Signal,
}

impl Shared {
    fn watch(&self, runtime: &Runtime, mut caught: Caught) {
        runtime.block_on(async {
            let stop = loop {
                tokio::select! {
                    _ = caught.terminate.recv() => break StopSignal::Terminate,
                    _ = caught.interrupt.recv() => break StopSignal::Interrupt,
                    _ = caught.hangup.recv() => tracing::info!("SIGHUP has no effect; restart to apply other settings"),
                }
            };
            self.received.send_replace(Some(stop));
            let shutdown = *self.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(shutdown) = shutdown {
                tokio::time::sleep(shutdown.timeout).await;
                tracing::warn!(signal = %stop, "the process did not stop in time and is ended");
            }
            telemetry::flush();
            let exit_code = shutdown.and_then(|shutdown| shutdown.exit_code).unwrap_or(stop.exit_code());
            std::process::exit(i32::from(exit_code));
        });
    }
}

impl From<StopSignal> for ExitCode {
    fn from(stop: StopSignal) -> Self {
        Self::from(stop.exit_code())
    }
}
