//! What a flood of logins does to everybody else's checks, and what a flood of checks does to logins.
//!
//! Checks are asked for at a fixed rate, idle and under the flood, in turns; then what was shed, how soon a lone login is
//! answered, whether checks are as before two seconds later, and memory. At the end the other way round: logins alone,
//! and beside connections that check without a pause.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use url::Url;

use crate::Failure;
use crate::figure::{Figure, count, millis, quantile, sorted};
use crate::load::{Clients, Habit, Outcome, Request, ask, closed_loop};
use crate::options::{Options, Peer};
use crate::plot::{Plot, distribution};
use crate::probe::probe;
use crate::report::Report;
use crate::server::Server;

/// Checks a second, of each kind.
const RATE: u32 = 100;

/// Clients that log in, again and again.
const FLOOD: usize = 64;

/// After how long the impatient half of them goes away.
const IMPATIENCE: Duration = Duration::from_millis(700);

/// Clients that log in beside a saturating stream of checks, and connections of that stream.
const LOGINS: usize = 16;
const CHECKS: usize = 32;

/// What is measured: requests that are to be answered as ever, by name, and what the flood consists of.
struct Subject {
    checks: Vec<(&'static str, Request)>,
    login: Request,
    flood: Vec<Habit>,
}

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
    let live = Request::get(&server.url("/livez")?, &[])?;
    let (login, wrong) = (server.login("ada")?, server.login_with("ada", "not the right one")?);
    let habits = [(&login, None), (&wrong, Some(IMPATIENCE)), (&login, Some(IMPATIENCE)), (&wrong, None)];
    let habit = |(request, hangs_up_after): (&Request, _)| Habit { request: request.clone(), hangs_up_after };
    let subject = Subject {
        checks: vec![("/auth/verify", server.verify(&token)?), ("/livez", live)],
        flood: habits.map(habit).to_vec(),
        login,
    };
    let mut report = Report::new("flood", options);
    measure(options, &subject, &mut report).await?;
    if let Some((now, most)) = server.memory() {
        report
            .row("memory of the server", vec![("now", Figure::once(now, "MiB")), ("most", Figure::once(most, "MiB"))]);
    }
    Ok(report)
}

async fn of_peer(options: &Options, peer: &Peer, url: &Url, login: &Url, body: &str) -> Result<Report, Failure> {
    let login = Request::post(login, &[], body)?;
    let impatient = Habit { hangs_up_after: Some(IMPATIENCE), ..Habit::patient(&login) };
    let subject = Subject {
        checks: vec![("a check", Request::get(url, &peer.headers)?)],
        flood: vec![Habit::patient(&login), impatient],
        login,
    };
    let mut report = Report::new("flood", options);
    measure(options, &subject, &mut report).await?;
    Ok(report)
}

/// What was seen of one kind of check: in all rounds together, and the 99th percentile of each.
#[derive(Default)]
struct Seen {
    all: Outcome,
    p99: Vec<f64>,
}

impl Seen {
    fn add(&mut self, round: Outcome) {
        self.p99.push(quantile(&sorted(&round.latencies), 0.99));
        self.all.add(round);
    }
}

async fn measure(options: &Options, subject: &Subject, report: &mut Report) -> Result<(), Failure> {
    let lasting = options.pick(Duration::from_secs(10), Duration::from_millis(200));
    let mut seen: Vec<[Seen; 3]> = subject.checks.iter().map(|_| Default::default()).collect();
    let (mut answered, mut shed, mut hung_up, mut lone) = (Vec::new(), 0, 0, Vec::new());
    probes(subject, lasting / 10).await?;
    for _ in 0..options.pick(5, 1) {
        let quiet = probes(subject, lasting).await?;
        let stop = Rc::new(Cell::new(false));
        let flood = Clients::start(&subject.flood, FLOOD, &stop);
        let under = async {
            // Until the flood is there, it is not measured.
            tokio::time::sleep(lasting / 10).await;
            let probed = probes(subject, lasting).await;
            stop.set(true);
            let began = tokio::time::Instant::now();
            let alone = ask(&subject.login).await.map(|answer| answer.status);
            let after = began.elapsed();
            tokio::time::sleep((lasting / 5).saturating_sub(after)).await;
            (probed, alone, after, probes(subject, lasting / 2).await)
        };
        let ((probed, alone, after, later), flood) = flood.beside(under, &stop).await;
        for (seen, round) in seen.iter_mut().zip(quiet.into_iter().zip(probed?).zip(later?)) {
            let ((quiet, probed), later) = round;
            seen[0].add(quiet);
            seen[1].add(probed);
            seen[2].add(later);
        }
        // It goes on for as long as it is probed and a tenth of that before.
        answered.push(count(flood.latencies.len() + flood.refused) / (lasting * 11 / 10 + after).as_secs_f64());
        shed += flood.shed;
        hung_up += flood.hung_up;
        if alone? == 200 {
            lone.push(millis(after));
        }
    }
    let mut curves = Vec::new();
    for ((name, _), [quiet, flooded, later]) in subject.checks.iter().zip(&seen) {
        for (when, seen) in [("idle", quiet), ("flooded", flooded), ("2 s after", later)] {
            let latencies = sorted(&seen.all.latencies);
            let at = |share| Figure::once(quantile(&latencies, share), "ms");
            let lost = Figure::once(count(seen.all.lost()), "");
            let figures = vec![("p50", at(0.5)), ("p99", at(0.99)), ("p99.9", at(0.999)), ("refused or lost", lost)];
            report.row(format!("{name}, {when}"), figures);
            curves.push(distribution(format!("{name}, {when}"), &latencies));
        }
        report.at_most(format!("p99 of {name}, flood ÷ idle"), 1.5, Figure::ratio(&flooded.p99, &quiet.p99));
    }
    let flood = vec![
        ("logins", Figure::of(&answered, "/s")),
        ("shed", Figure::once(count(shed), "")),
        ("hung up", Figure::once(count(hung_up), "")),
    ];
    report.row(format!("the flood: {FLOOD} clients"), flood);
    report.row("a lone login right after it", vec![("answered after", Figure::of(&lone, "ms"))]);
    beside_checks(options, subject, report).await?;
    report.note(format!("{RATE} checks a second whatever happens; latency counts from the instant each was due."));
    report.plot(Plot::Curves {
        file: "flood.svg",
        title: format!("A check at {RATE}/s, idle and while {FLOOD} clients log in"),
        x: "milliseconds from when it was due",
        y: "share of checks",
        log: true,
        curves,
    });
    Ok(())
}

/// Checks of every kind for some time, each kind at its rate.
async fn probes(subject: &Subject, lasting: Duration) -> Result<Vec<Outcome>, Failure> {
    let one = |(_, check): &(_, Request)| {
        let check = check.clone();
        tokio::task::spawn_blocking(move || probe(&check, RATE, lasting))
    };
    let all: Vec<_> = subject.checks.iter().map(one).collect();
    let mut outcomes = Vec::new();
    for one in all {
        outcomes.push(one.await?);
    }
    Ok(outcomes)
}

/// Logins alone, and beside a stream of checks that takes all it can get.
async fn beside_checks(options: &Options, subject: &Subject, report: &mut Report) -> Result<(), Failure> {
    let lasting = options.pick(Duration::from_secs(8), Duration::from_millis(200));
    let (mut alone, mut beside, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.pick(5, 1) {
        alone.push(closed_loop(&subject.login, LOGINS, lasting).await?.rate());
        let stop = Rc::new(Cell::new(false));
        let stream = Clients::start(&[Habit::patient(&subject.checks[0].1)], CHECKS, &stop);
        let (logins, stream) = stream.beside(closed_loop(&subject.login, LOGINS, lasting), &stop).await;
        beside.push(logins?.rate());
        checks.push(stream.rate());
    }
    report.row(format!("{LOGINS} clients log in, alone"), vec![("logins", Figure::of(&alone, "/s"))]);
    let figures = vec![("logins", Figure::of(&beside, "/s")), ("checks", Figure::of(&checks, "/s"))];
    report.row(format!("the same beside {CHECKS} connections that check without a pause"), figures);
    report.at_least("logins beside saturating checks ÷ logins alone", 0.33, Figure::ratio(&beside, &alone));
    Ok(())
}
