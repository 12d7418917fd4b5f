//! What a flood of logins does to everybody else's checks: latency at a fixed rate of checks, idle and under the flood,
//! in turns; how soon a lone login is answered afterwards; what was shed; memory.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use url::Url;

use crate::Failure;
use crate::figure::{Figure, count, millis, quantile, sorted};
use crate::load::{Clients, Outcome, Request, ask};
use crate::options::{Options, Peer};
use crate::plot::{Plot, distribution};
use crate::probe::probe;
use crate::report::Report;
use crate::server::Server;

/// Checks a second.
const RATE: u32 = 50;

/// Clients that log in, again and again.
const FLOOD: usize = 32;

pub(crate) fn run(options: &Options, peer: &Peer) -> Result<Report, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match (&peer.url, &peer.login_url, &peer.body) {
            (Some(url), Some(login), Some(body)) => of_peer(options, peer, url, login, body).await,
            (None, ..) => of_ours(options).await,
            _ => Err("--url needs --login-url and --body: the credentials as JSON".into()),
        }
    })
}

async fn of_ours(options: &Options) -> Result<Report, Failure> {
    let cost = options.pick("12", "4");
    let server = Server::start(options, &[("AUTH_BCRYPT_COST", cost), ("AUTH_THROTTLE", "off")]).await?;
    let token = server.register("ada").await?;
    let (check, login) = (server.verify(&token)?, server.login("ada")?);
    let mut report = measure(options, &check, &login).await?;
    if let Some((now, most)) = server.memory() {
        report
            .row("memory of the server", vec![("now", Figure::once(now, "MiB")), ("most", Figure::once(most, "MiB"))]);
    }
    Ok(report)
}

async fn of_peer(options: &Options, peer: &Peer, url: &Url, login: &Url, body: &str) -> Result<Report, Failure> {
    measure(options, &Request::get(url, &peer.headers)?, &Request::post(login, &[], body)?).await
}

async fn measure(options: &Options, check: &Request, login: &Request) -> Result<Report, Failure> {
    let mut report = Report::new("flood", options);
    let lasting = options.pick(Duration::from_secs(10), Duration::from_millis(200));
    let (mut idle, mut flooded) = (Outcome::default(), Outcome::default());
    let (mut ratios, mut logins, mut shed, mut recovered) = (Vec::new(), Vec::new(), 0, Vec::new());
    probes(check, lasting / 10).await?;
    for _ in 0..options.pick(5, 1) {
        let quiet = probes(check, lasting).await?;
        let stop = Rc::new(Cell::new(false));
        let flood = Clients::start(login, FLOOD, &stop);
        let under = async {
            // Until the flood is there, it is not measured.
            tokio::time::sleep(lasting / 10).await;
            let probed = probes(check, lasting).await;
            stop.set(true);
            let began = tokio::time::Instant::now();
            let alone = ask(login).await.map(|answer| answer.status);
            (probed, alone, began.elapsed())
        };
        let ((probed, alone, after), flood) = flood.beside(under, &stop).await;
        let probed = probed?;
        logins.push(flood.rate());
        shed += flood.shed;
        if alone? == 200 {
            recovered.push(millis(after));
        }
        ratios.push(p99(&probed) / p99(&quiet));
        join(&mut idle, quiet);
        join(&mut flooded, probed);
    }
    let curve = |name, outcome: &Outcome| distribution(name, &sorted(&outcome.latencies));
    let curves = vec![curve("idle", &idle), curve("flood", &flooded)];
    for (what, outcome) in [("checks, idle", &idle), ("checks, flooded", &flooded)] {
        let latencies = sorted(&outcome.latencies);
        let at = |share| Figure::once(quantile(&latencies, share), "ms");
        let lost = Figure::once(count(outcome.failed + outcome.shed), "");
        report.row(what, vec![("p50", at(0.5)), ("p99", at(0.99)), ("p99.9", at(0.999)), ("refused or lost", lost)]);
    }
    report.row(
        format!("the flood: {FLOOD} clients"),
        vec![("logins", Figure::of(&logins, "/s")), ("shed", Figure::once(count(shed), ""))],
    );
    report.row("a lone login right after it", vec![("answered after", Figure::of(&recovered, "ms"))]);
    report.at_most("p99 of a check, flood ÷ idle", 1.5, Figure::of(&ratios, "×"));
    report.note(format!("{RATE} checks a second whatever happens; latency counts from the instant each was due."));
    report.plot(Plot::Curves {
        file: "flood.svg",
        title: format!("A check at {RATE}/s, idle and while {FLOOD} clients log in"),
        x: "milliseconds from when it was due",
        y: "share of checks",
        log: true,
        curves,
    });
    Ok(report)
}

async fn probes(check: &Request, lasting: Duration) -> Result<Outcome, Failure> {
    let check = check.clone();
    Ok(tokio::task::spawn_blocking(move || probe(&check, RATE, lasting)).await?)
}

fn p99(outcome: &Outcome) -> f64 {
    quantile(&sorted(&outcome.latencies), 0.99)
}

fn join(all: &mut Outcome, more: Outcome) {
    all.latencies.extend(more.latencies);
    all.shed += more.shed;
    all.failed += more.failed;
}
