//! From the acknowledgement of a logout by the server to the refusal of the token by a follower.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::ReadOnlyBlacklist;
use auth_core::{AuthenticateError, SystemClock, TokenVerifier};
use auth_feed::client::FeedSource;
use auth_jwt::{JwtCodec, SigningKey};
use tokio::time::{Instant, sleep};

use super::transport::{FeedRequests, HttpTransport};
use crate::Failure;
use crate::check::{AUDIENCE, ED25519, ISSUER};
use crate::figure::{Figure, millis, quantile, sorted};
use crate::load::ask;
use crate::options::Options;
use crate::plot::{Plot, distribution};
use crate::report::Report;
use crate::server::Server;

/// Interval at which the server reads its log, by default.
const POLL: Duration = Duration::from_millis(250);

/// Time that a page may take besides.
const MARGIN: Duration = Duration::from_millis(100);

/// Longest time for which the server holds a request until there is news.
const WAIT: Duration = Duration::from_secs(1);

/// Shortest time from one request to the next.
const PAUSE: Duration = Duration::from_millis(100);

const MAX_STALENESS: Duration = Duration::from_secs(5);

pub(super) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let server = Server::start_with_feed(options, ED25519).await?;
    server.register("ada").await?;
    let login = server.login("ada")?;
    let clock = Arc::new(SystemClock);
    let transport = Arc::new(HttpTransport::new(FeedRequests::of(&server).await?));
    let source = FeedSource::new(transport, clock.clone(), WAIT);
    let follower = Arc::new(ReadOnlyBlacklist::new(Arc::new(source), clock.clone(), MAX_STALENESS));
    let key = SigningKey::from_pem(ED25519.as_bytes())?.verifying_key().clone();
    let codec = JwtCodec::verify_only(ISSUER, AUDIENCE).with_verifying_key(key);
    let verifier = TokenVerifier::new(Arc::new(codec), follower.clone(), clock);
    while !follower.is_fresh() {
        follower.sync_step().await?;
    }
    let following = tokio::spawn(async move { follower.follow(PAUSE, sleep, |_| ()).await });
    let mut delays = Vec::new();
    for number in 0..options.pick(400_u32, 2) {
        let token = server.token(&login).await?;
        verifier.authenticate(&token).await?;
        // Not in step with the polls.
        sleep(Duration::from_millis(u64::from(number * 37 % 250))).await;
        let logged_out = ask(&server.logout(&token)?).await?;
        let acknowledged = Instant::now();
        if logged_out.status != 200 {
            return Err(format!("the logout was not acknowledged: {logged_out:?}").into());
        }
        loop {
            match verifier.authenticate(&token).await {
                Ok(_) => sleep(Duration::from_millis(1)).await,
                Err(AuthenticateError::Revoked) => break,
                Err(error) => return Err(error.into()),
            }
        }
        delays.push(millis(acknowledged.elapsed()));
    }
    following.abort();
    let delays = sorted(&delays);
    let at = |share| Figure { samples: delays.len(), ..Figure::once(quantile(&delays, share), "ms") };
    report.row(
        format!("delay of {} logouts", delays.len()),
        vec![("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("most", at(1.0))],
    );
    report.at_most("p99 of the delay, in milliseconds (the poll interval + 100 ms)", millis(POLL + MARGIN), at(0.99));
    report.plot(Plot::Curves {
        file: "followers.svg",
        title: "From a logout to the refusal by a follower; the server polls every 250 ms".to_owned(),
        x: "milliseconds",
        y: "share of logouts",
        log: false,
        curves: vec![distribution("refused by the follower", &delays)],
    });
    Ok(())
}
