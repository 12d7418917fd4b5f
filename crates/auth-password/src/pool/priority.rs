//! How much of a busy machine the hashing threads get.

/// How eagerly the operating system runs the hashing threads when cores are short. With cores to spare it changes
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadPriority {
    /// As every other thread.
    Normal,
    /// Behind the threads that answer requests: nice 5.
    Low,
    /// Only where there is nothing else to do: nice 19.
    Lowest,
}

/// What came of asking for a [`ThreadPriority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriorityOutcome {
    /// The threads run with it.
    Set,
    /// The platform has no priority for single threads that we know to set: Linux and Android have. The threads run as
    /// all others.
    Unsupported,
    /// The operating system refused. The threads run as all others.
    Refused,
}

impl ThreadPriority {
    /// Gives the calling thread this priority; one that is lower already stays.
    pub(super) fn apply(self) -> PriorityOutcome {
        match self {
            Self::Normal => PriorityOutcome::Set,
            Self::Low => lower_to(5),
            Self::Lowest => lower_to(19),
        }
    }
}

/// Linux and Android keep the nice value of each thread, and mean the calling one when none is named.
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
