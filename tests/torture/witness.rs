//! Somebody who asks a node about one token, again and again, without waiting for the answers.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::node::{Door, verdict};

/// Between two questions.
const TICK: Duration = Duration::from_millis(25);

/// The answer of a node.
#[derive(Debug)]
pub(crate) struct Answer {
    /// A moment before the question was sent.
    pub(crate) started: Instant,
    pub(crate) verdict: (u16, String),
}

/// Asks until it is told to stop.
#[derive(Debug)]
pub(crate) struct Witness {
    stop: oneshot::Sender<Instant>,
    asking: JoinHandle<Vec<Answer>>,
}

impl Witness {
    pub(crate) fn of(door: &Door, token: &str) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, asking: tokio::spawn(ask(door.clone(), token.to_owned(), stopped)) }
    }

    /// Asks on until a question has been sent after `moment`, and waits for every answer.
    pub(crate) async fn until_after(self, moment: Instant) -> Vec<Answer> {
        self.stop.send(moment).unwrap();
        self.asking.await.unwrap()
    }
}

async fn ask(door: Door, token: String, mut stopped: oneshot::Receiver<Instant>) -> Vec<Answer> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut end = None;
    let mut questions = JoinSet::new();
    while end.is_none_or(|end| Instant::now() <= end) {
        let (door, token) = (door.clone(), token.clone());
        questions.spawn(async move {
            let started = Instant::now();
            let answer = door.check(&token).await.unwrap();
            Answer { started, verdict: verdict(&answer) }
        });
        ticks.tick().await;
        if end.is_none() {
            end = stopped.try_recv().ok();
        }
    }
    questions.join_all().await
}
