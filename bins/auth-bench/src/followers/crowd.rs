//! Many followers of one server: what they cost it, and what a check over HTTP then takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auth_feed::snapshot::SnapshotReader;
use auth_feed::{Cursor, FeedPage};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};

use super::transport::FeedRequests;
use crate::Failure;
use crate::check::ED25519;
use crate::figure::{Figure, count, quantile, sorted};
use crate::load::{Connection, Request, ask};
use crate::options::Options;
use crate::probe::probe;
use crate::report::Report;
use crate::server::Server;

/// Longest time for which the server holds a request until there is news.
const WAIT: Duration = Duration::from_secs(1);

/// Checks a second.
const RATE: u32 = 400;

/// Time between two logouts, where there are any.
const LOGOUTS: Duration = Duration::from_secs(1);

/// Time for which the followers settle before anything is measured.
const SETTLING: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Side {
    p99: Vec<f64>,
    processor: Vec<f64>,
}

pub(super) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let server = Server::start_with_feed(options, ED25519).await?;
    let verify = server.verify(&server.register("ada").await?)?;
    let feed = FeedRequests::of(&server).await?;
    let many = options.pick(1_000, 10);
    for logs_out in [false, true] {
        let what = if logs_out { "a logout a second" } else { "no logout" };
        let (mut alone, mut followed, mut pages) = (Side::default(), Side::default(), Vec::new());
        for _ in 0..options.pick(7, 1) {
            round(options, &server, &verify, logs_out, &mut alone).await?;
            let crowd = Crowd::start(&feed, many).await?;
            sleep(options.pick(SETTLING, Duration::from_millis(50))).await;
            let (before, began) = (crowd.pages(), Instant::now());
            round(options, &server, &verify, logs_out, &mut followed).await?;
            pages.push(count(crowd.pages() - before) / began.elapsed().as_secs_f64());
            crowd.stop().await?;
        }
        let ratio = Figure::ratio(&followed.p99, &alone.p99);
        for (who, side) in [("no follower".to_owned(), &alone), (format!("{many} followers"), &followed)] {
            let mut figures = vec![("p99", Figure::of(&side.p99, "ms"))];
            if !side.processor.is_empty() {
                figures.push(("processor", Figure::of(&side.processor, "% of a core")));
            }
            if std::ptr::eq(side, &raw const followed) {
                figures.push(("pages", Figure::of(&pages, "/s")));
                figures.push(("ratio", ratio.clone()));
            }
            report.row(format!("GET /auth/verify, {who}, {what}"), figures);
        }
        report.at_most(format!("p99 of /auth/verify with {many} followers ÷ without, {what}"), 1.2, ratio);
    }
    report.note(
        "The followers run in the process that measures, on the same cores as the server. Each asks again when its page has come, \
         and waits for one second at most.",
    );
    Ok(())
}

/// Checks for some time, with logouts beside or without.
async fn round(
    options: &Options,
    server: &Server,
    verify: &Request,
    logs_out: bool,
    side: &mut Side,
) -> Result<(), Failure> {
    let lasting = options.pick(Duration::from_secs(5), Duration::from_millis(60));
    let request = verify.clone();
    let (before, began) = (server.processor_time(), Instant::now());
    let checks = tokio::task::spawn_blocking(move || probe(&request, RATE, lasting));
    if logs_out {
        let mut next = interval(LOGOUTS);
        while !checks.is_finished() {
            let token = server.token(&server.login("ada")?).await?;
            if ask(&server.logout(&token)?).await?.status != 200 {
                return Err("a logout was not acknowledged".into());
            }
            next.tick().await;
        }
    }
    let seen = checks.await?;
    if seen.lost() > 0 {
        return Err("a good token was not found good".into());
    }
    side.p99.push(quantile(&sorted(&seen.latencies), 0.99));
    if let Some((before, after)) = before.zip(server.processor_time()) {
        let used = after.saturating_sub(before).as_secs_f64();
        side.processor.push(100.0 * used / began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Followers, each with a connection of its own.
struct Crowd {
    stop: Arc<AtomicBool>,
    pages: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<Result<(), Failure>>>,
}

impl Crowd {
    async fn start(feed: &FeedRequests, many: u32) -> Result<Self, Failure> {
        let request = feed.snapshot()?;
        let (_, snapshot) = Connection::open(&request).await?.ask_for_bytes(&request).await?;
        let cursor = SnapshotReader::new(&snapshot)?.header().next;
        let (stop, pages) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let follower = |number| {
            let (feed, stop, pages) = (feed.clone(), Arc::clone(&stop), Arc::clone(&pages));
            tokio::spawn(async move {
                // They do not begin at the same moment.
                sleep(WAIT * number / many).await;
                follow(&feed, cursor, &stop, &pages).await
            })
        };
        let tasks = (0..many).map(follower).collect();
        Ok(Self { stop, pages, tasks })
    }

    fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    async fn stop(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

/// Reads page after page until it is told to stop.
async fn follow(feed: &FeedRequests, cursor: Cursor, stop: &AtomicBool, pages: &AtomicUsize) -> Result<(), Failure> {
    let mut cursor = cursor;
    let mut connection = Connection::open(&feed.page(&cursor, WAIT)?).await?;
    while !stop.load(Ordering::Relaxed) {
        let (status, page) = connection.ask_for_bytes(&feed.page(&cursor, WAIT)?).await?;
        if status != 200 {
            return Err(format!("a page was answered with {status}").into());
        }
        cursor = FeedPage::from_json(&page, &cursor)?.next;
        pages.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
