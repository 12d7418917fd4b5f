//! Time to purge ten thousand expired entries beside more and more live ones: cost has to follow what has expired.

use std::time::Duration;

use auth_core::blacklist::purge_expired;
use auth_core::{Clock as _, SystemClock};
use auth_testing::databases::TestDatabaseKind;

use crate::Failure;
use crate::blacklist::fill;
use crate::check::revocation;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count, millis};
use crate::options::Options;
use crate::plot::Plot;
use crate::report::Report;

/// How many are removed in one transaction, as the server does.
const BATCH: u32 = 1_000;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("purge", options);
    let live = options.pick([10_000, 100_000, 1_000_000], [100, 200, 400]);
    let mut curves = Vec::new();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let measured =
                databases::with(options, kind, async |database| measure(options, &database, live).await).await?;
            let Some((database, samples)) = measured else { continue };
            for (live, samples) in live.iter().zip(&samples) {
                let what = format!("{database}, beside {live} live entries");
                report.row(what, vec![("purging 10,000", Figure::of(samples, "ms"))]);
            }
            let growth = Figure::ratio(&samples[2], &samples[0]);
            report.at_most(format!("{database}: beside the most ÷ beside the fewest live entries"), 1.2, growth);
            let points = live.iter().zip(&samples);
            let points = points.map(|(live, samples)| (count(*live), Figure::of(samples, "ms").median)).collect();
            curves.push((database.to_owned(), points));
        }
        report.plot(Plot::Curves {
            file: "purge.svg",
            title: "Purging 10,000 expired entries beside live ones".to_owned(),
            x: "live entries",
            y: "milliseconds",
            log: true,
            curves,
        });
        Ok(report)
    })
}

/// Milliseconds a purge, by number of live entries.
async fn measure(
    options: &Options,
    database: &BenchDatabase,
    live: [usize; 3],
) -> Result<(&'static str, Vec<Vec<f64>>), Failure> {
    let expired = options.pick(10_000_u64, 100);
    let mut all = Vec::new();
    let mut filled = 0;
    for entries in live {
        fill(database, u64::try_from(entries - filled)?).await?;
        filled = entries;
        let mut samples = Vec::new();
        for _ in 0..options.pick(5, 1) {
            let now = SystemClock.now();
            let long_ago = now - Duration::from_secs(3 * 86_400);
            for begin in (0..expired).step_by(1_000) {
                let batch = (begin..expired.min(begin + 1_000)).map(|number| revocation(long_ago, number));
                database.log.append(&batch.collect::<Result<Vec<_>, _>>()?).await?;
            }
            let began = tokio::time::Instant::now();
            let removed = purge_expired(database.log.as_ref(), now, BATCH, async |_| ()).await?;
            samples.push(millis(began.elapsed()));
            if removed != expired {
                return Err(format!("{removed} of {expired} expired entries were removed").into());
            }
        }
        all.push(samples);
    }
    Ok((database.name(), all))
}
