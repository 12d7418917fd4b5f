//! Signals: SIGTERM and SIGINT stop the process from its first instructions on, SIGHUP does nothing.

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::telemetry;

/// SIGXFSZ on Linux (but MIPS) and on the BSDs: a file would become larger than the limit of the process. Its default is
/// to kill; caught, the write fails with an error like that of a full disk.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// A signal that asks the process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

impl Stop {
    /// The exit code of a process that the signal ended before it was done: 128 and the number of the signal, as
    /// shells have it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => 130,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// The signals of this process. A thread of its own waits for them, so that they count whatever the others do.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    received: watch::Sender<Option<Stop>>,
    /// What happens at a signal. Until somebody takes charge the process exits at once.
    charge: Mutex<Option<Charge>>,
}

/// Somebody stops in order, and has time for that.
#[derive(Debug, Clone, Copy)]
struct Charge {
    patience: Duration,
    exit_code: Option<u8>,
}

impl Signals {
    /// Catches the signals from now on. Meant to be the first thing that a process does: a process with the id 1, as in
    /// a container, does not even hear a signal that it does not catch.
    ///
    /// # Errors
    ///
    /// When the operating system refuses, for want of descriptors or threads.
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

    /// From now on the caller looks for [`stopped`](Self::stopped) and stops in order. A process that has not ended
    /// `patience` after the signal is ended with `exit_code`, or with that of the signal.
    pub fn take_charge(&self, patience: Duration, exit_code: Option<u8>) {
        *self.shared.charge.lock().unwrap_or_else(PoisonError::into_inner) = Some(Charge { patience, exit_code });
    }

    /// Returns once the process was asked to stop.
    pub async fn stopped(&self) -> Stop {
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
    /// Caught for as long as it lives, and otherwise of no interest.
    _file_size: Signal,
}

impl Shared {
    fn watch(&self, runtime: &Runtime, mut caught: Caught) {
        runtime.block_on(async {
            let stop = loop {
                tokio::select! {
                    _ = caught.terminate.recv() => break Stop::Terminate,
                    _ = caught.interrupt.recv() => break Stop::Interrupt,
                    _ = caught.hangup.recv() => tracing::info!("SIGHUP has no effect; restart to apply other settings"),
                }
            };
            self.received.send_replace(Some(stop));
            let charge = *self.charge.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(charge) = charge {
                tokio::time::sleep(charge.patience).await;
                tracing::warn!(signal = %stop, "the process did not stop in time and is ended");
            }
            telemetry::flush();
            let exit_code = charge.and_then(|charge| charge.exit_code).unwrap_or(stop.exit_code());
            std::process::exit(i32::from(exit_code));
        });
    }
}

impl From<Stop> for ExitCode {
    fn from(stop: Stop) -> Self {
        Self::from(stop.exit_code())
    }
}
