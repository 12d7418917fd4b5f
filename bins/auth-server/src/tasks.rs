//! Tasks that the server repeats in the background until it stops.

mod clock_watch;
mod log_follower;
mod purge;

use std::future::Future;

use tokio::sync::watch;

pub(crate) use self::clock_watch::{ClockOffset, ClockWatch};
pub(crate) use self::log_follower::LogFollower;
pub(crate) use self::purge::{PURGE_BATCH, PURGE_PAUSE, Purge};

/// Work that is done in rounds.
pub(crate) trait Task: Send {
    /// Waits for the next round.
    fn wait(&mut self) -> impl Future<Output = ()> + Send;

    /// Does one round. It is cancelled at any of its await points when the server stops.
    fn round(&mut self) -> impl Future<Output = ()> + Send;
}

/// Repeats a task until `stop` is true.
pub(crate) async fn run(mut task: impl Task, mut stop: watch::Receiver<bool>) {
    let rounds = async {
        loop {
            task.wait().await;
            task.round().await;
        }
    };
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        () = rounds => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    /// Counts its rounds, of which the third never ends.
    struct Stuck(Arc<AtomicU32>);

    impl Task for Stuck {
        async fn wait(&mut self) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }

        async fn round(&mut self) {
            if self.0.fetch_add(1, Ordering::SeqCst) == 2 {
                std::future::pending().await
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_repeated_until_it_is_stopped_even_within_a_round() {
        let rounds = Arc::<AtomicU32>::default();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(run(Stuck(Arc::clone(&rounds)), stopped.clone()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(rounds.load(Ordering::SeqCst), 3);
        stop.send_replace(true);
        running.await.unwrap();

        run(Stuck(Arc::clone(&rounds)), stopped).await;
        assert_eq!(rounds.load(Ordering::SeqCst), 3, "no round begins after the stop");
    }
}
