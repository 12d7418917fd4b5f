//! Durable logouts a second: many that share a transaction, beside one transaction each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::{Blacklist as _, Clock as _, Revocation, SystemClock};
use auth_testing::databases::TestDatabaseKind;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::Failure;
use crate::check::revocation;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count};
use crate::options::Options;
use crate::plot::Plot;
use crate::report::Report;

const CLIENTS: [usize; 3] = [1, 8, 64];

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("logout", options);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut bars = Vec::new();
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let measured = databases::with(options, kind, async |database| measure(options, &database).await).await?;
            let Some(measured) = measured else {
                report.note("PostgreSQL was left out: no server was named.");
                continue;
            };
            for Measured { database, clients, each, shared } in measured {
                let ratio = Figure::ratio(&shared, &each);
                report.row(
                    format!("{database}, {clients} clients"),
                    vec![
                        ("one transaction each", Figure::of(&each, "/s")),
                        ("shared", Figure::of(&shared, "/s")),
                        ("ratio", ratio.clone()),
                    ],
                );
                if clients == 64 {
                    report.at_least(format!("{database}: shared ÷ one each at 64 clients"), 8.0, ratio);
                }
                bars.push((format!("{database} {clients}, each"), Figure::of(&each, "/s")));
                bars.push((format!("{clients}, shared"), Figure::of(&shared, "/s")));
            }
        }
        report.plot(Plot::Bars {
            file: "logout.svg",
            title: "Durable logouts a second: one transaction each, and shared".to_owned(),
            unit: "logouts/s",
            bars,
        });
        Ok(report)
    })
}

struct Measured {
    database: &'static str,
    clients: usize,
    each: Vec<f64>,
    shared: Vec<f64>,
}

async fn measure(options: &Options, database: &BenchDatabase) -> Result<Vec<Measured>, Failure> {
    let lasting = options.pick(Duration::from_millis(1_500), Duration::from_millis(50));
    let blacklist = Arc::new(SyncedBlacklist::new(database.log.clone(), Arc::new(SystemClock), SyncOptions::default()));
    let log = database.log.clone();
    let each_alone: Logout = Arc::new(move |revocation| {
        let log = log.clone();
        async move { log.append(&[revocation]).await.is_ok() }.boxed()
    });
    let together: Logout = Arc::new(move |revocation| {
        let blacklist = blacklist.clone();
        async move { blacklist.revoke(revocation).await.is_ok() }.boxed()
    });
    let mut all = Vec::new();
    for clients in CLIENTS {
        let (mut each, mut shared) = (Vec::new(), Vec::new());
        for _ in 0..options.pick(5, 1) {
            each.push(rate(clients, lasting, &each_alone).await?);
            shared.push(rate(clients, lasting, &together).await?);
        }
        all.push(Measured { database: database.name(), clients, each, shared });
    }
    Ok(all)
}

/// What a client does: the future says whether the logout was acknowledged.
type Logout = Arc<dyn Fn(Revocation) -> BoxFuture<'static, bool> + Send + Sync>;

/// Acknowledged logouts a second of so many clients, each of which waits for one before it asks for the next.
async fn rate(clients: usize, lasting: Duration, logout: &Logout) -> Result<f64, Failure> {
    let done = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let client = |_| {
        let (logout, done) = (Arc::clone(logout), Arc::clone(&done));
        tokio::spawn(async move {
            while began.elapsed() < lasting {
                let Ok(revocation) = revocation(SystemClock.now(), 1) else { return false };
                if !logout(revocation).await {
                    return false;
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            true
        })
    };
    let tasks: Vec<_> = (0..clients).map(client).collect();
    for task in tasks {
        if !task.await? {
            return Err("a logout was not written".into());
        }
    }
    Ok(count(done.load(Ordering::Relaxed)) / began.elapsed().as_secs_f64())
}
