//! Tasks that the server repeats in the background until it stops.

mod clock_watch;
mod delivery;
mod key_follower;
mod log_follower;
mod purge;

use std::future::Future;

use tokio::sync::watch;

pub(crate) use self::clock_watch::{ClockOffset, ClockWatch};
pub(crate) use self::delivery::DeliveryTask;
pub(crate) use self::key_follower::KeyFollower;
pub(crate) use self::log_follower::LogFollower;
pub(crate) use self::purge::PurgeTask;

/// Polls a task that never ends until `stop` is true. The task is cancelled at any of its await points then.
pub(crate) async fn run_until(mut stop: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        () = task => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    /// Counts its rounds, of which the third never ends.
    async fn stuck(rounds: Arc<AtomicU32>) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if rounds.fetch_add(1, Ordering::SeqCst) == 2 {
                std::future::pending::<()>().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_repeated_until_it_is_stopped_even_within_a_round() {
        let rounds = Arc::<AtomicU32>::default();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(run_until(stopped.clone(), stuck(Arc::clone(&rounds))));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(rounds.load(Ordering::SeqCst), 3);
        stop.send_replace(true);
        running.await.unwrap();

        run_until(stopped, stuck(Arc::clone(&rounds))).await;
        assert_eq!(rounds.load(Ordering::SeqCst), 3, "no round begins after the stop");
    }
}
