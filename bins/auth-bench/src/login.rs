//! Logins a second of the real server at bcrypt cost 12, beside the bcrypt crate in a plain loop on all cores, and beside
//! the password cracker `john` where it is installed: what an attacker has per core is what a defender could have.

use std::process::Command;
use std::time::Duration;

use url::Url;

use crate::Failure;
use crate::figure::{Figure, count, quantile, sorted, timed};
use crate::load::{Outcome, Request, closed_loop};
use crate::options::{Options, Peer};
use crate::plot::Plot;
use crate::report::Report;
use crate::server::{PASSWORD, Server};

const CLIENTS: [usize; 3] = [1, 8, 32];

/// The cost that `john --test` hashes with.
const COST_OF_JOHN: u32 = 5;

pub(crate) fn run(options: &Options, peer: &Peer) -> Result<Report, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match (&peer.url, &peer.body) {
            (Some(url), Some(body)) => of_peer(options, peer, url, body).await,
            (Some(_), None) => Err("--url needs --body: the credentials as JSON".into()),
            (None, _) => of_ours(options).await,
        }
    })
}

async fn of_ours(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("login", options);
    let cost: u32 = options.pick(12, 4);
    let cost_setting = cost.to_string();
    let settings = [("AUTH_BCRYPT_COST", cost_setting.as_str()), ("AUTH_THROTTLE", "off")];
    let server = Server::start(options, &settings).await?;
    server.register("ada").await?;
    let login = server.login("ada")?;
    let lasting = options.pick(Duration::from_secs(6), Duration::from_millis(100));
    let threads = std::thread::available_parallelism()?.get();

    let (mut loops, mut lone) = (Vec::new(), Vec::new());
    let mut ours: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); CLIENTS.len()];
    for _ in 0..options.pick(5, 1) {
        lone.push(plain_loop(1, cost, lasting / 4)?);
        loops.push(plain_loop(threads, cost, lasting / 2)?);
        for (clients, (rates, latencies)) in CLIENTS.into_iter().zip(&mut ours) {
            let outcome = closed_loop(&login, clients, lasting).await?;
            if outcome.failed + outcome.refused > 0 {
                return Err("a login failed".into());
            }
            rates.push(outcome.rate());
            latencies.extend(outcome.latencies);
        }
    }
    report.row(format!("bcrypt crate, {threads} threads in a plain loop"), vec![("logins", Figure::of(&loops, "/s"))]);
    let mut bars = vec![("bcrypt crate".to_owned(), Figure::of(&loops, "/s"))];
    for (clients, (rates, latencies)) in CLIENTS.into_iter().zip(&ours) {
        let latencies = sorted(latencies);
        let at = |share| Figure::once(quantile(&latencies, share), "ms");
        let ratio = Figure::ratio(rates, &loops);
        report.row(
            format!("server, {clients} clients"),
            vec![("logins", Figure::of(rates, "/s")), ("p50", at(0.5)), ("p99", at(0.99)), ("× crate", ratio)],
        );
        bars.push((format!("{clients} clients"), Figure::of(rates, "/s")));
    }
    let many = &ours[CLIENTS.len() - 1].0;
    report.at_least("logins at 32 clients ÷ the bcrypt crate on all cores", 2.0, Figure::ratio(many, &loops));
    let hash: Vec<f64> = lone.iter().map(|rate| 1e3 / rate).collect();
    let login_alone = quantile(&sorted(&ours[0].1), 0.5);
    let alone: Vec<f64> = hash.iter().map(|hash| login_alone / hash).collect();
    report.at_most("a lone login ÷ a lone hash of the bcrypt crate", 1.1, Figure::of(&alone, "×"));
    if let Some(john) = john(cost) {
        let ratios: Vec<f64> = many.iter().map(|rate| rate / john).collect();
        report.row("john --test", vec![("logins", Figure::once(john, "/s"))]);
        report.at_least("logins at 32 clients ÷ john", 0.9, Figure::of(&ratios, "×"));
        report.note(format!("john measures at cost {COST_OF_JOHN}; its figure is scaled to cost {cost}."));
        bars.push(("john".to_owned(), Figure::once(john, "/s")));
    }
    report.plot(Plot::Bars {
        file: "login.svg",
        title: format!("Logins a second, bcrypt cost {cost}"),
        unit: "logins/s",
        bars,
    });
    Ok(report)
}

async fn of_peer(options: &Options, peer: &Peer, url: &Url, body: &str) -> Result<Report, Failure> {
    let mut report = Report::new("login", options);
    let request = Request::post(url, &peer.headers, body)?;
    for clients in CLIENTS {
        let lasting = options.pick(Duration::from_secs(10), Duration::from_millis(100));
        let Outcome { latencies, shed, seconds, .. } = closed_loop(&request, clients, lasting).await?;
        let rate = count(latencies.len()) / seconds;
        let at = |share| Figure::once(quantile(&sorted(&latencies), share), "ms");
        let figures = vec![
            ("logins", Figure::once(rate, "/s")),
            ("p50", at(0.5)),
            ("p99", at(0.99)),
            ("shed", Figure::once(count(shed), "")),
        ];
        report.row(format!("{url}, {clients} clients"), figures);
    }
    Ok(report)
}

/// Hashes a second of the bcrypt crate on so many threads.
fn plain_loop(threads: usize, cost: u32, lasting: Duration) -> Result<f64, Failure> {
    let hash = bcrypt::hash(PASSWORD, cost)?;
    let on_one_thread = || {
        let (mut done, mut spent) = (0_u32, Duration::ZERO);
        while spent < lasting {
            let (good, took) = timed(|| bcrypt::verify(PASSWORD, &hash).unwrap_or(false));
            done += u32::from(good);
            spent += took;
        }
        f64::from(done) / spent.as_secs_f64()
    };
    let rates = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(on_one_thread)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(f64::NAN)).sum()
    });
    Ok(rates)
}

/// What `john` says of itself on all cores, at this cost.
fn john(cost: u32) -> Option<f64> {
    let said = Command::new("john").args(["--test=5", "--format=bcrypt"]).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let (_, rate) = said.split_once("Raw:")?;
    let rate: f64 = rate.split_whitespace().next()?.trim_end_matches('K').parse().ok()?;
    Some(rate * f64::from(2_u32.pow(COST_OF_JOHN)) / f64::from(2_u32.checked_pow(cost)?))
}
