//! The followers, in a process of their own: in operation they run on other machines.

use std::io::{BufRead as _, BufReader, Write as _, stdin, stdout};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auth_feed::snapshot::SnapshotReader;
use auth_feed::{Cursor, FeedPage};
use rustix::process::nice;
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::Failure;
use crate::followers::transport::FeedRequests;
use crate::load::Connection;

/// Longest time for which the server holds a request until there is news.
const WAIT: Duration = Duration::from_secs(1);

/// The lowest priority.
const NICENESS: i32 = 19;

/// The process. It ends when this is dropped.
pub(super) struct Crowd {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Crowd {
    pub(super) fn start(feed: &FeedRequests, many: u32) -> Result<Self, Failure> {
        let [base, authorization] = feed.arguments();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["crowd", base, authorization, &many.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, said })
    }

    /// Returns how many pages have come.
    pub(super) fn pages(&mut self) -> Result<usize, Failure> {
        self.child.stdin.as_ref().ok_or("no input")?.write_all(b"\n")?;
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        line.trim().parse().map_err(|_| "the followers have ended".into())
    }

    /// Waits until each follower has its last page.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        if self.child.wait()?.success() { Ok(()) } else { Err("a follower failed".into()) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Follows until the input ends. Each line of the input is answered with the number of pages so far.
pub(crate) fn serve(base: &str, authorization: &str, many: u32) -> Result<(), Failure> {
    // The threads of the runtime begin with the priority of this one.
    nice(NICENESS)?;
    let feed = FeedRequests::new(base.parse()?, authorization.to_owned());
    let (stop, pages) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let crowd = runtime.spawn(follow_all(feed, many, Arc::clone(&stop), Arc::clone(&pages)));
    for line in stdin().lines() {
        line?;
        if crowd.is_finished() {
            break;
        }
        writeln!(stdout(), "{}", pages.load(Ordering::Relaxed))?;
    }
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(crowd)?
}

/// Follows with this many connections.
async fn follow_all(
    feed: FeedRequests,
    many: u32,
    stop: Arc<AtomicBool>,
    pages: Arc<AtomicUsize>,
) -> Result<(), Failure> {
    let request = feed.snapshot()?;
    let (_, snapshot) = Connection::open(&request).await?.ask_for_bytes(&request).await?;
    let cursor = SnapshotReader::new(&snapshot)?.header().next;
    let follower = |number| {
        let (feed, stop, pages) = (feed.clone(), Arc::clone(&stop), Arc::clone(&pages));
        tokio::spawn(async move {
            // They do not begin at the same moment.
            sleep(WAIT * number / many).await;
            follow(&feed, cursor, &stop, &pages).await
        })
    };
    let followers: Vec<_> = (0..many).map(follower).collect();
    for follower in followers {
        follower.await??;
    }
    Ok(())
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
