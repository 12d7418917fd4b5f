//! The limit of file descriptors, and the number of connections that it allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::server::MAX_CONNECTIONS;

/// Number of descriptors reserved for the database pool (up to 40 with SQLite), the health listener, the log, data files and the
/// runtime.
const RESERVE: u64 = 128;

/// Raises the soft limit of this process towards the hard limit, as far as that is useful, and returns the number of clients'
/// connections that it allows. Logs a warning if that is less than [`MAX_CONNECTIONS`].
pub(crate) fn for_connections() -> usize {
    let limit = raise(MAX_CONNECTIONS as u64 + RESERVE);
    let connections = connections_within(limit);
    if connections < MAX_CONNECTIONS {
        tracing::warn!(
            descriptors = limit,
            connections,
            useful = MAX_CONNECTIONS as u64 + RESERVE,
            "the limit of file descriptors allows fewer connections than usual; raise its hard limit (LimitNOFILE, ulimit -n)"
        );
    }
    connections
}

/// Raises the soft limit to `useful`, or to the hard limit if that is lower. Returns the limit in force.
fn raise(useful: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(soft) = current.filter(|soft| *soft < useful) else { return current.unwrap_or(u64::MAX) };
    let raised = maximum.map_or(useful, |hard| hard.min(useful));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors could not be raised");
            soft
        }
    }
}

/// Returns the number of connections that a limit of descriptors allows: all but the reserve, and at least half.
fn connections_within(limit: u64) -> usize {
    let connections = limit.saturating_sub(RESERVE.min(limit / 2));
    usize::try_from(connections).unwrap_or(usize::MAX).clamp(1, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve_of_descriptors() {
        for (limit, connections) in
            [(0, 1), (64, 32), (256, 128), (1_024, 896), (4_224, 4_096), (65_536, 4_096), (u64::MAX, 4_096)]
        {
            assert_eq!(connections_within(limit), connections, "{limit}");
        }
    }
}
