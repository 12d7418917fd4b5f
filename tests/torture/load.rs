//! Clients that register, log in, check and log out, as fast as they are answered, and write down what they were told.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use auth_tests::Response;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ledger::{Fate, Ledger};
use crate::node::{BOUND, Door, verdict};
use crate::random;

const WORKERS: usize = 8;

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<io::Result<()>>,
}

#[derive(Debug)]
struct Shared {
    doors: Vec<Door>,
    ledger: Mutex<Ledger>,
    acknowledged: Notify,
    stop: AtomicBool,
}

impl Load {
    /// Sends clients to these nodes. `prefix` tells the names of their users from those of other loads.
    pub(crate) fn start(prefix: &str, doors: &[Door]) -> Self {
        Self::start_with(WORKERS, prefix, doors)
    }

    /// The same, with so many clients.
    pub(crate) fn start_with(workers: usize, prefix: &str, doors: &[Door]) -> Self {
        let shared = Arc::new(Shared {
            doors: doors.to_vec(),
            ledger: Mutex::default(),
            acknowledged: Notify::new(),
            stop: AtomicBool::new(false),
        });
        let mut working = JoinSet::new();
        for worker in 0..workers {
            let (shared, prefix) = (Arc::clone(&shared), format!("{prefix}-{worker}"));
            working.spawn(async move { shared.work(&prefix).await });
        }
        Self { shared, workers: working }
    }

    /// Waits until so much more has been acknowledged than now.
    pub(crate) async fn acknowledges(&self, more: usize) {
        let goal = self.shared.ledger().acknowledged() + more;
        loop {
            let news = self.shared.acknowledged.notified();
            if self.shared.ledger().acknowledged() >= goal {
                return;
            }
            news.await;
        }
    }

    /// Lets every client finish what it is at. Returns what they were told, and whether all were answered to the end. Fails
    /// with every answer that the contract forbids.
    pub(crate) async fn stop(mut self) -> (Ledger, io::Result<()>) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut outcome = Ok(());
        while let Some(worker) = self.workers.join_next().await {
            outcome = outcome.and(worker.unwrap());
        }
        let ledger = std::mem::take(&mut *self.shared.ledger());
        let violations = &ledger.violations;
        assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
        (ledger, outcome)
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    async fn work(&self, prefix: &str) -> io::Result<()> {
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            if let Some(first) = self.register(&format!("{prefix}-{number}")).await? {
                let second = self.login(&format!("{prefix}-{number}")).await?;
                self.check(first).await?;
                if let Some(second) = second {
                    self.log_out(second).await?;
                    self.check(second).await?;
                }
                let any = random(self.ledger().tokens.len());
                self.check(any).await?;
            }
        }
        Ok(())
    }

    /// Registers somebody new; the place of their token, if there is one.
    async fn register(&self, name: &str) -> io::Result<Option<usize>> {
        let place = {
            let mut ledger = self.ledger();
            ledger.accounts.push((name.to_owned(), false));
            ledger.accounts.len() - 1
        };
        let door = &self.doors[random(self.doors.len())];
        let answer = door.register(name).await?;
        if answer.status != 201 {
            self.expect_unavailable("a registration or login", &answer, door);
            return Ok(None);
        }
        self.ledger().accounts[place].1 = true;
        self.acknowledged.notify_waiters();
        Ok(Some(self.hand_out(answer.text("Authorization"))))
    }

    /// Logs in who has been registered; the place of the token, if there is one.
    async fn login(&self, name: &str) -> io::Result<Option<usize>> {
        let door = &self.doors[random(self.doors.len())];
        let answer = door.login(name).await?;
        if answer.status != 200 {
            self.expect_unavailable("a registration or login", &answer, door);
            return Ok(None);
        }
        Ok(Some(self.hand_out(answer.text("Authorization"))))
    }

    fn hand_out(&self, token: String) -> usize {
        let mut ledger = self.ledger();
        ledger.tokens.push((token, Fate::Good));
        ledger.tokens.len() - 1
    }

    /// Logs out, and at once asks the same node whether it means it.
    async fn log_out(&self, place: usize) -> io::Result<()> {
        let node = random(self.doors.len());
        let token = self.mark(place, Fate::Unsure);
        let answer = self.doors[node].logout(&token).await?;
        if answer.status != 200 {
            self.expect_unavailable("a logout", &answer, &self.doors[node]);
            return Ok(());
        }
        self.mark(place, Fate::LoggedOut { node, at: Instant::now() });
        self.acknowledged.notify_waiters();
        self.check_at(node, place).await
    }

    fn mark(&self, place: usize, fate: Fate) -> String {
        let mut ledger = self.ledger();
        ledger.tokens[place].1 = fate;
        ledger.tokens[place].0.clone()
    }

    /// Asks any node about a token, and holds the answer against what is known of it.
    async fn check(&self, place: usize) -> io::Result<()> {
        self.check_at(random(self.doors.len()), place).await
    }

    async fn check_at(&self, node: usize, place: usize) -> io::Result<()> {
        let door = &self.doors[node];
        let (token, before) = self.ledger().tokens[place].clone();
        let started = Instant::now();
        let answer = verdict(&door.check(&token).await?);
        // Somebody may have logged out with it meanwhile.
        let after = self.ledger().tokens[place].1;
        let permitted = before.permits(&answer, node, started, BOUND) || after.permits(&answer, node, started, BOUND);
        if !permitted {
            self.violation(format!("node {node} answers {answer:?}, but it is {before:?}\n{}", door.said()));
        }
        Ok(())
    }

    /// Nothing comes of a request to a node that cannot reach its database; anything but 503 would be a lie.
    fn expect_unavailable(&self, what: &str, answer: &Response, door: &Door) {
        let answer = verdict(answer);
        if answer != (503, "unavailable".to_owned()) {
            self.violation(format!("{what}: {answer:?}\n{}", door.said()));
        }
    }

    fn violation(&self, what: String) {
        self.ledger().violations.push(what);
    }
}
