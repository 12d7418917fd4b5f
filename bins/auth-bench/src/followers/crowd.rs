//! Many followers of one server: what they cost it, and what a check over HTTP then takes.

mod process;

use std::time::Duration;

use tokio::time::{Instant, interval, sleep};

use self::process::Crowd;
pub(crate) use self::process::serve;
use super::transport::FeedRequests;
use crate::Failure;
use crate::check::ED25519;
use crate::figure::{Figure, count, quantile, sorted};
use crate::load::{Request, ask};
use crate::options::Options;
use crate::probe::probe;
use crate::report::Report;
use crate::server::Server;

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
            let mut crowd = Crowd::start(&feed, many)?;
            sleep(options.pick(SETTLING, Duration::from_millis(50))).await;
            let (before, began) = (crowd.pages()?, Instant::now());
            round(options, &server, &verify, logs_out, &mut followed).await?;
            pages.push(count(crowd.pages()? - before) / began.elapsed().as_secs_f64());
            crowd.stop()?;
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
        "The followers run in a process of the lowest priority, so that they use what the server and the checks leave of the cores: \
         in operation they run on other machines. Each asks again when its page has come, and waits for one second at most.",
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
