//! Running futures without a runtime, several at once, and only half-way.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::oneshot;
use futures_util::future::{Either, join_all, select};

use super::{Backend, CheckError};

/// Runs a future to its end on this thread, which sleeps while there is nothing to do. Enough for stores that need no
/// runtime: it drives no sockets and no timers.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Number of rivals that share a task.
const IN_ONE_TASK: usize = 4;

/// Runs rivals at once and returns what came of each, in their order. Those in one task take turns wherever they wait;
/// tasks run in parallel.
pub(super) async fn race<F>(
    backend: &dyn Backend,
    rivals: impl IntoIterator<Item = F>,
) -> Result<Vec<F::Output>, CheckError>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut rivals = rivals.into_iter().peekable();
    let mut tasks = Vec::new();
    while rivals.peek().is_some() {
        let together = join_all(rivals.by_ref().take(IN_ONE_TASK));
        let (sender, outputs) = oneshot::channel();
        backend.spawn(Box::pin(async move {
            // Nobody listens any more when another task has failed.
            let _ = sender.send(together.await);
        }));
        tasks.push(outputs);
    }
    let mut outputs = Vec::new();
    for task in tasks {
        let ended =
            task.await.map_err(|_| CheckError::Broken("a call panicked, or its task was never run".to_owned()))?;
        outputs.extend(ended);
    }
    Ok(outputs)
}

/// Polls a future at least once and drops it `turns` turns later, as a caller who has lost patience does. Returns the output
/// if there was one by then.
pub(super) async fn give_up_after<T>(turns: u32, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(pass(turns))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Waits for so many turns: each time it is polled, others come first. A store that is broken on purpose does its second step
/// after one, as if a network lay in between.
pub async fn pass(turns: u32) {
    let mut left = turns;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
