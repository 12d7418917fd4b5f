//! Snapshots of many entries: bytes on the way, and time and memory of the follower that loads one.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::ReadOnlyBlacklist;
use auth_core::blacklist::{LogEntry, LogIdentity, LogObserver as _, LogProgress, Mark, Position, Purged};
use auth_core::{Clock as _, SystemClock};
use auth_feed::client::FeedSource;
use auth_feed::server::{FeedServer, FeedServerOptions};
use tokio::time::Instant;
use uuid::Uuid;

use super::transport::LocalTransport;
use crate::Failure;
use crate::check::revocation;
use crate::figure::{Figure, count, millis};
use crate::report::Report;

/// Entries that a node reads from its log at once.
const BATCH: u64 = 10_000;

/// Longer than a bench takes: what is measured here is not freshness.
const LONG: Duration = Duration::from_secs(3_600);

/// Longest time in which ten million entries are loaded.
const MOST_SECONDS: f64 = 5.0;

pub(super) async fn measure(entries: u64, report: &mut Report) -> Result<(), Failure> {
    let server = server(entries)?;
    let began = Instant::now();
    let bytes = count(server.snapshot().await?.body.len());
    let built = began.elapsed();
    let (follower, loaded) = follower(&server).await?;
    let index = follower.stats().index;
    let many = count(index.tokens);
    if index.tokens as u64 != entries {
        return Err("an entry was not loaded".into());
    }
    report.row(
        format!("snapshot of {entries} entries"),
        vec![
            ("on the way", Figure::once(bytes / many, "B an entry")),
            ("building", Figure::once(millis(built), "ms")),
            ("loading", Figure::once(millis(loaded), "ms")),
            ("memory", Figure::once(count(index.bytes) / many, "B an entry")),
        ],
    );
    if entries == 10_000_000 {
        let seconds = Figure::once(loaded.as_secs_f64(), "s");
        report.at_most("loading a snapshot of ten million, in seconds", MOST_SECONDS, seconds);
    }
    Ok(())
}

/// Returns the feed of a node that has read so many revoked tokens.
pub(super) fn server(entries: u64) -> Result<Arc<FeedServer>, Failure> {
    let options = FeedServerOptions { max_age: LONG, ..FeedServerOptions::default() };
    let server = FeedServer::new(Arc::new(SystemClock), options)?;
    server.reset(LogIdentity(Uuid::from_u128(1)));
    let now = SystemClock.now().replace_nanosecond(0)?;
    for begin in (0..entries).step_by(usize::try_from(BATCH)?) {
        let end = entries.min(begin + BATCH);
        let entry = |number| {
            let (position, mark) = (Position(number + 1), Mark(number));
            Ok(LogEntry { position, mark, revocation: revocation(now, number)? })
        };
        let read: Vec<LogEntry> = (begin..end).map(entry).collect::<Result<_, Failure>>()?;
        server.read(&LogProgress { entries: &read, position: Position(end), purged: Purged::default() });
    }
    server.complete(SystemClock.monotonic());
    Ok(Arc::new(server))
}

/// Returns a follower that has everything, and the time that the snapshot took.
pub(super) async fn follower(server: &Arc<FeedServer>) -> Result<(ReadOnlyBlacklist, Duration), Failure> {
    let clock = Arc::new(SystemClock);
    let source = FeedSource::new(Arc::new(LocalTransport(Arc::clone(server))), clock.clone(), Duration::ZERO);
    let follower = ReadOnlyBlacklist::new(Arc::new(source), clock, LONG);
    let began = Instant::now();
    follower.sync_step().await?;
    let loaded = began.elapsed();
    follower.sync_step().await?;
    if follower.is_fresh() { Ok((follower, loaded)) } else { Err("the follower is not fresh".into()) }
}
