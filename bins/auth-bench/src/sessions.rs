//! Cost of sessions: refreshes a second beside plain transactions, a check and a login with and without a session, the list
//! of a user, and refreshes and purges beside many live sessions.

mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::session::purge_sessions;
use auth_core::{Clock as _, RefreshToken, SessionKind, SystemClock, TokenCheck};
use auth_testing::databases::TestDatabaseKind;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use self::fixture::{Fixture, fill};
use crate::Failure;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count, millis, quantile, sorted, timed};
use crate::options::Options;
use crate::report::Report;

const CLIENTS: [usize; 3] = [1, 8, 64];

/// Number of rows that one transaction of a purge removes, as in the server.
const BATCH: u32 = 1_000;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("sessions", options);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let measured = databases::with(options, kind, async |database| {
                let database = Arc::new(database);
                refreshes(options, &database, &mut report).await?;
                list(options, &database, &mut report).await?;
                if database.kind == TestDatabaseKind::Sqlite {
                    checks(options, &database, &mut report).await?;
                    logins(options, &database, &mut report).await?;
                }
                beside_live_sessions(options, &database, &mut report).await
            });
            if measured.await?.is_none() {
                report.note("PostgreSQL was left out: no server was named.");
            }
        }
        Ok(report)
    })
}

/// Call that a client repeats. Its future returns the client's next token.
type Call = Arc<dyn Fn(RefreshToken) -> BoxFuture<'static, Result<RefreshToken, Failure>> + Send + Sync>;

async fn refreshes(options: &Options, database: &Arc<BenchDatabase>, report: &mut Report) -> Result<(), Failure> {
    let lasting = options.pick(Duration::from_millis(1_500), Duration::from_millis(50));
    let fixture = Arc::new(Fixture::over(database, 4, true).await?);
    let of_fixture = Arc::clone(&fixture);
    let refresh: Call = Arc::new(move |token| {
        let fixture = Arc::clone(&of_fixture);
        async move { fixture.refresh(&token).await }.boxed()
    });
    let of_database = Arc::clone(database);
    let plain: Call = Arc::new(move |token| {
        let database = Arc::clone(&of_database);
        async move {
            database.touch(token.unverified_session_id()).await?;
            Ok(token)
        }
        .boxed()
    });
    for clients in CLIENTS {
        let (mut refreshed, mut touched) = (Vec::new(), Vec::new());
        for _ in 0..options.pick(5, 1) {
            refreshed.push(rate(&fixture, clients, lasting, &refresh).await?);
            touched.push(rate(&fixture, clients, lasting, &plain).await?);
        }
        let ratio = Figure::ratio(&refreshed, &touched);
        report.row(
            format!("{}, {clients} clients", database.name()),
            vec![
                ("a plain transaction each", Figure::of(&touched, "/s")),
                ("refreshes", Figure::of(&refreshed, "/s")),
                ("ratio", ratio.clone()),
            ],
        );
        let goal = match clients {
            1 => 0.8,
            64 => 3.0,
            _ => continue,
        };
        report.at_least(
            format!("{}: refreshes ÷ plain transactions at {clients} clients", database.name()),
            goal,
            ratio,
        );
    }
    Ok(())
}

/// Calls a second of so many clients, each of which has a session and waits for one call before it makes the next.
async fn rate(fixture: &Fixture, clients: usize, lasting: Duration, call: &Call) -> Result<f64, Failure> {
    let mut tokens = Vec::with_capacity(clients);
    for _ in 0..clients {
        tokens.push(fixture.renewable().await?);
    }
    let done = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let client = |mut token| {
        let (call, done) = (Arc::clone(call), Arc::clone(&done));
        tokio::spawn(async move {
            while began.elapsed() < lasting {
                token = call(token).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(())
        })
    };
    let tasks: Vec<_> = tokens.into_iter().map(client).collect();
    for task in tasks {
        task.await??;
    }
    Ok(count(done.load(Ordering::Relaxed)) / began.elapsed().as_secs_f64())
}

async fn list(options: &Options, database: &BenchDatabase, report: &mut Report) -> Result<(), Failure> {
    let fixture = Fixture::over(database, 4, true).await?;
    fixture.service.logout_everywhere(fixture.user).await?;
    for _ in 0..100 {
        fixture.renewable().await?;
    }
    let mut samples = Vec::new();
    for _ in 0..options.pick(2_000, 3) {
        let began = Instant::now();
        let listed = fixture.service.list_sessions(fixture.user, 100).await?;
        samples.push(began.elapsed().as_secs_f64() * 1e6);
        if listed.len() != 100 {
            return Err(format!("{} of 100 sessions were listed", listed.len()).into());
        }
    }
    let slowest = quantile(&sorted(&samples), 0.99);
    report.row(
        format!("{}, list of 100 sessions", database.name()),
        vec![("a call", Figure::of(&samples, "µs")), ("p99", Figure::once(slowest, "µs"))],
    );
    Ok(())
}

async fn checks(options: &Options, database: &BenchDatabase, report: &mut Report) -> Result<(), Failure> {
    let fixture = Fixture::over(database, 4, true).await?;
    let mut tokens = [Vec::new(), Vec::new()];
    for (kind, tokens) in [SessionKind::Single, SessionKind::Renewable].into_iter().zip(&mut tokens) {
        for _ in 0..options.pick(500, 5) {
            tokens.push(fixture.login(kind).await?.token.expose_token().to_owned());
        }
    }
    let calls = options.pick(200_000, 10);
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..options.pick(15, 1) {
        for (tokens, samples) in tokens.iter().zip(&mut samples) {
            while !fixture.blacklist.sync_step().await?.complete {}
            let verifier = fixture.service.verifier();
            let is_good = |token: &&String| matches!(verifier.check(token), Ok(TokenCheck::Good(_)));
            let (good, took) = timed(|| tokens.iter().cycle().take(calls).filter(is_good).count());
            if good != calls {
                return Err("a good token was refused".into());
            }
            samples.push(took.as_secs_f64() * 1e9 / count(calls));
        }
    }
    let [single, renewable] = &samples;
    let ratio = Figure::ratio(renewable, single);
    report.row(
        "a check",
        vec![("token", Figure::of(single, "ns")), ("refresh", Figure::of(renewable, "ns")), ("ratio", ratio.clone())],
    );
    report.at_most("a check of a `refresh` token ÷ one of a `token` token", 1.05, ratio);
    Ok(())
}

async fn logins(options: &Options, database: &BenchDatabase, report: &mut Report) -> Result<(), Failure> {
    let cost = options.pick(12, 4);
    let with = Fixture::over(database, cost, true).await?;
    let without = Fixture::over(database, cost, false).await?;
    // The stored hash is brought to the cost before anything is measured.
    let hash = auth_core::Password::parse(fixture::PASSWORD)?;
    with.service.set_password(with.user, hash).await?;
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..options.pick(20, 1) {
        for (fixture, samples) in [&with, &without].into_iter().zip(&mut samples) {
            let began = Instant::now();
            fixture.login(SessionKind::Renewable).await?;
            samples.push(1.0 / began.elapsed().as_secs_f64());
        }
    }
    let [with, without] = &samples;
    let ratio = Figure::ratio(with, without);
    report.row(
        "a login",
        vec![
            ("without a session", Figure::of(without, "/s")),
            ("with a session", Figure::of(with, "/s")),
            ("ratio", ratio.clone()),
        ],
    );
    report.at_least("logins with a session ÷ without", 0.97, ratio);
    Ok(())
}

async fn beside_live_sessions(options: &Options, database: &BenchDatabase, report: &mut Report) -> Result<(), Failure> {
    let fixture = Fixture::over(database, 4, true).await?;
    let (live, expired) = (options.pick([10_000, 1_000_000], [100, 400]), options.pick(10_000, 50));
    let mut filled = 0;
    let (mut refreshed, mut purged) = (Vec::new(), Vec::new());
    for live in live {
        fill(database, live - filled, 30).await?;
        filled = live;
        let mut token = fixture.renewable().await?;
        let mut samples = Vec::new();
        for _ in 0..options.pick(2_000, 5) {
            let began = Instant::now();
            token = fixture.refresh(&token).await?;
            samples.push(began.elapsed().as_secs_f64() * 1e6);
        }
        refreshed.push(samples);
        let mut samples = Vec::new();
        for _ in 0..options.pick(5, 1) {
            fill(database, expired, -30).await?;
            let began = Instant::now();
            let removed = purge_sessions(database.sessions.as_ref(), SystemClock.now(), BATCH, async |_| ()).await?;
            samples.push(millis(began.elapsed()));
            if removed != u64::try_from(expired)? {
                return Err(format!("{removed} of {expired} sessions were removed").into());
            }
        }
        purged.push(samples);
        report.row(
            format!("{}, beside {live} live sessions", database.name()),
            vec![
                ("a refresh", Figure::of(&refreshed[refreshed.len() - 1], "µs")),
                ("purging 10,000", Figure::of(&purged[purged.len() - 1], "ms")),
            ],
        );
    }
    for (what, samples, unit) in [("a refresh", &refreshed, "µs"), ("a purge", &purged, "ms")] {
        let growth = Figure::of(&samples[1], unit).median / Figure::of(&samples[0], unit).median;
        let what = format!("{}: {what} beside the most ÷ beside the fewest sessions", database.name());
        report.at_most(what, 1.2, Figure::once(growth, "×"));
    }
    Ok(())
}
