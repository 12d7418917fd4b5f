//! The follower: tasks that keep the keys and the revocations up to date, and the verifier over both.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::{ReadOnlyBlacklist, ReadOnlyStats};
use auth_core::blacklist::FeedStep;
use auth_core::{BoxError, Clock, StoreError, SystemClock, TokenVerifier, random_bytes};
use auth_feed::client::{FeedSource, FeedTransport};
use auth_jwt::{JWKS_MEDIA_TYPE, MAX_JWKS_BYTES};
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::access::ClientAccess;
use crate::error::FollowError;
use crate::http::{Ask, HttpClient, Tls};
use crate::keys::{KeysAnswer, KeysStats, KeysTransport, RemoteKeys};
use crate::options::FollowerOptions;
use crate::saved::SavedSnapshot;
use crate::server_url::ServerUrl;
use crate::transport::HttpTransport;

const JWKS: &str = "/.well-known/jwks.json";
const JWKS_WITHIN: Duration = Duration::from_secs(3);

/// Longest time that a page may take in addition to the wait for news.
const PAGE_WITHIN: Duration = Duration::from_secs(5);

/// Shortest time between two requests for pages while there is news all the time, and the first wait after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// Age at which a saved snapshot is replaced, so that its pages are still there when it is needed.
const SAVED_LIFE: Duration = Duration::from_secs(3_600);

/// Follower of an auth server. Its tasks end when it is dropped; verifiers that it gave are *unavailable* soon after.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use auth_follower::{Follower, FollowerOptions};
///
/// let options = FollowerOptions::new("https://auth.example", "api", "rac_…", "ras_…");
/// let follower = Follower::connect(options)?;
/// follower.ready().await;
/// let principal = follower.verifier().authenticate("a token").await?;
/// # Ok(())
/// # }
/// ```
pub struct Follower {
    verifier: TokenVerifier,
    blacklist: Arc<ReadOnlyBlacklist>,
    keys: Arc<RemoteKeys>,
    /// Raised when the feed or the keys were read.
    progress: Arc<watch::Sender<u64>>,
    tasks: Vec<JoinHandle<()>>,
}

/// State and counts of a [`Follower`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FollowerStats {
    /// The total bound: the longest time from the acknowledged logout to the refusal. It holds the staleness of the server's own copy,
    /// its poll and the way of the answers, because the age of a page is measured from the start of its request and includes the
    /// age that the server says.
    pub bound: Duration,
    /// The copy of the revocations. Its age is what the bound is compared with.
    pub blacklist: ReadOnlyStats,
    /// The keys.
    pub keys: KeysStats,
}

impl Follower {
    /// Starts to follow. It returns at once: until the server has answered, checks are *unavailable*. Call it within a runtime of
    /// tokio.
    ///
    /// # Errors
    ///
    /// When the options cannot work. A server that does not answer is no error.
    pub fn connect(options: FollowerOptions) -> Result<Self, FollowError> {
        Self::connect_with(options, Arc::new(SystemClock))
    }

    /// Starts to follow, by this clock.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_with(options: FollowerOptions, clock: Arc<dyn Clock>) -> Result<Self, FollowError> {
        let (url, tls) = options.check()?;
        let issuer = options.issuer.as_deref().unwrap_or(&options.url);
        let keys = RemoteKeys::new(
            issuer,
            &*options.audience,
            options.cached_tokens,
            options.key_cool_down,
            Arc::clone(&clock),
        );
        let keys = Arc::new(keys);
        let connection = || -> Arc<dyn FeedTransport> { Arc::new(transport(&options, &url, &tls, &clock)) };
        let (transport, aside) = (connection(), connection());
        let saved = options.state_file.map(|path| Arc::new(SavedSnapshot::new(Arc::clone(&transport), aside, path)));
        let transport = saved.clone().map_or(transport, |saved| saved as Arc<dyn FeedTransport>);
        let source = FeedSource::new(transport, Arc::clone(&clock), options.wait);
        let blacklist = ReadOnlyBlacklist::new(Arc::new(source), Arc::clone(&clock), options.max_staleness);
        let blacklist = Arc::new(blacklist);
        let verifier = TokenVerifier::new(keys.clone(), blacklist.clone(), clock);
        let progress = Arc::new(watch::Sender::new(0));
        let mut tasks = vec![
            tokio::spawn(follow_feed(Arc::clone(&blacklist), Arc::clone(&progress))),
            tokio::spawn(follow_keys(Arc::clone(&keys), HttpClient::new(url, tls), Arc::clone(&progress))),
        ];
        tasks.extend(saved.map(|saved| tokio::spawn(renew(saved))));
        Ok(Self { verifier, blacklist, keys, progress, tasks })
    }

    /// Returns the verifier, for layers and extractors.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.verifier
    }

    /// Returns whether tokens can be accepted at this moment: the keys were read, and the copy of the revocations is fresh.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.blacklist.is_fresh() && self.keys.stats().keys > 0
    }

    /// Waits until tokens can be accepted.
    pub async fn ready(&self) {
        let mut progress = self.progress.subscribe();
        // The sender lives as long as this follower.
        while !self.is_ready() && progress.changed().await.is_ok() {}
    }

    /// Returns the state and the counts.
    #[must_use]
    pub fn stats(&self) -> FollowerStats {
        FollowerStats {
            bound: self.blacklist.max_staleness(),
            blacklist: self.blacklist.stats(),
            keys: self.keys.stats(),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

fn transport(options: &FollowerOptions, url: &ServerUrl, tls: &Tls, clock: &Arc<dyn Clock>) -> HttpTransport {
    let http = Arc::new(HttpClient::new(url.clone(), tls.clone()));
    let (id, secret) = (options.client_id.as_str(), options.client_secret.as_str());
    let access = ClientAccess::new(Arc::clone(&http), Arc::clone(clock), id, secret);
    HttpTransport::new(http, access, page_within(options.wait, options.max_staleness))
}

/// Returns the time that a page may take in addition to the wait for news. A page that does not come leaves time for another one before
/// the copy is too old.
fn page_within(wait: Duration, bound: Duration) -> Duration {
    (bound.saturating_sub(2 * wait) / 2).min(PAGE_WITHIN)
}

async fn follow_feed(blacklist: Arc<ReadOnlyBlacklist>, progress: Arc<watch::Sender<u64>>) {
    let mut log = Outage::new("the feed of revocations");
    let observe = |step: &Result<FeedStep, StoreError>| {
        log.note(step.as_ref().err().map(|error| error as Cause<'_>));
        progress.send_modify(|steps| *steps += 1);
    };
    blacklist.follow(PAUSE, |wait| sleep(spread(wait, random_part())), observe).await;
}

/// Returns a wait that is up to a half shorter, if it is one after a failure: followers that lost the server at one moment do not
/// come back at one moment. `part` is from 0 to 255.
fn spread(wait: Duration, part: u8) -> Duration {
    let half = wait / 2;
    if wait <= PAUSE { wait } else { half + half * u32::from(u8::MAX - part) / u32::from(u8::MAX) }
}

/// Returns a random number, or zero if the system has no randomness to give.
fn random_part() -> u8 {
    random_bytes().map_or(0, |[part]| part)
}

async fn follow_keys(keys: Arc<RemoteKeys>, http: HttpClient, progress: Arc<watch::Sender<u64>>) {
    let mut log = Outage::new("the public keys");
    let observe = |fetched: Result<(), BoxError>| {
        log.note(fetched.as_ref().err().map(|error| &**error as Cause<'_>));
        progress.send_modify(|steps| *steps += 1);
    };
    keys.follow(&http, observe).await;
}

/// Renews the saved snapshot before its pages are gone.
async fn renew(saved: Arc<SavedSnapshot>) {
    loop {
        sleep(SAVED_LIFE).await;
        if let Err(error) = saved.renew().await {
            tracing::debug!(error = &*error as Cause<'_>, "the saved snapshot of revocations was not renewed");
        }
    }
}

#[async_trait]
impl KeysTransport for HttpClient {
    async fn keys(&self, known_tag: Option<String>) -> Result<KeysAnswer, BoxError> {
        let mut headers = vec![
            (ACCEPT, HeaderValue::from_static(JWKS_MEDIA_TYPE)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        if let Some(tag) = known_tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            headers.push((IF_NONE_MATCH, tag));
        }
        let ask = Ask { path: JWKS, headers, form: None, within: JWKS_WITHIN, max_bytes: MAX_JWKS_BYTES };
        let reply = self.ask(ask).await?;
        Ok(KeysAnswer {
            status: reply.status,
            etag: reply.header(&ETAG).map(str::to_owned),
            cache_control: reply.header(&CACHE_CONTROL).map(str::to_owned),
            age: reply.age(),
            body: reply.body.into(),
        })
    }
}

/// Error as a line of the log takes it.
type Cause<'e> = &'e (dyn Error + 'static);

/// Log of something that fails for a while: its first failure, and its recovery.
struct Outage {
    what: &'static str,
    failing: bool,
}

impl Outage {
    fn new(what: &'static str) -> Self {
        Self { what, failing: false }
    }

    fn note(&mut self, error: Option<Cause<'_>>) {
        let what = self.what;
        match error {
            Some(error) if !self.failing => {
                tracing::error!(error, what, "cannot be read; past the bound tokens are neither accepted nor refused");
            }
            None if self.failing => tracing::info!(what, "read again"),
            _ => {}
        }
        self.failing = error.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_does_not_come_leaves_time_for_another_one() {
        let seconds = Duration::from_secs;
        for (wait, bound) in [(1, 5), (1, 3), (10, 21), (20, 60), (1, 3_600)] {
            let (wait, bound) = (seconds(wait), seconds(bound));
            let within = page_within(wait, bound);
            // The page that does not come was sent after one that waited.
            let second_begins = wait + wait + within;
            assert!(second_begins + within <= bound && !within.is_zero(), "{wait:?} {bound:?}");
        }
    }

    #[test]
    fn only_waits_after_failures_are_spread_over_their_second_half() {
        assert_eq!(spread(PAUSE, u8::MAX), PAUSE);
        assert_eq!(spread(Duration::ZERO, u8::MAX), Duration::ZERO);
        let second = Duration::from_secs(1);
        assert_eq!((spread(second, 0), spread(second, u8::MAX)), (second, second / 2));
        assert!(spread(second, 100) < second && spread(second, 100) > second / 2);
    }
}
