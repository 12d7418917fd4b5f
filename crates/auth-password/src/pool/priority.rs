//! Priorities of the hashing threads.

/// Priority that the operating system gives the hashing threads when cores are short. With spare cores it changes
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadPriority {
    /// Priority of every other thread.
    Normal,
    /// Below the threads that answer requests: nice 5.
    Low,
    /// Only cores with nothing else to do: nice 19.
    Lowest,
}

/// Result of asking for a [`ThreadPriority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriorityOutcome {
    /// The threads run with it.
    Set,
    /// The platform has no known priority for single threads; Linux and Android have one. The threads run at normal
    /// priority.
    Unsupported,
    /// The operating system refused. The threads run at normal priority.
    Refused,
}

impl ThreadPriority {
    /// Gives the calling thread this priority. A thread whose priority is lower already keeps it.
    pub(super) fn apply(self) -> PriorityOutcome {
        match self {
            Self::Normal => PriorityOutcome::Set,
            Self::Low => lower_to(5),
            Self::Lowest => lower_to(19),
        }
    }
}

/// Lowers the priority of the calling thread. Linux and Android keep a nice value for each thread, and use the calling
/// one when none is named.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lower_to(nice: i32) -> PriorityOutcome {
    use rustix::process::{getpriority_process, setpriority_process};
    let set = getpriority_process(None).and_then(|now| setpriority_process(None, nice.max(now)));
    set.map_or(PriorityOutcome::Refused, |()| PriorityOutcome::Set)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn lower_to(_nice: i32) -> PriorityOutcome {
    PriorityOutcome::Unsupported
}
