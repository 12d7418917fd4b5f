//! Does anything grow with the number of users, or of revoked tokens? The read that a login makes, and a start.

use std::time::Duration;

use auth_core::Email;
use auth_testing::databases::TestDatabaseKind;
use tokio::time::Instant;

use crate::Failure;
use crate::blacklist::fill;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count};
use crate::options::Options;
use crate::plot::Plot;
use crate::report::Report;
use crate::server::Server;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("scale", options);
    let users = options.pick([10_000, 1_000_000, 5_000_000], [10, 100, 1_000]);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let reads = databases::with(options, TestDatabaseKind::Postgres, async |database| {
            reads(options, &database, users).await
        })
        .await?;
        let Some(reads) = reads else {
            report.note("Left out: no PostgreSQL server was named.");
            return Ok(report);
        };
        let mut points = Vec::new();
        for (users, samples) in users.iter().zip(&reads) {
            let figure = Figure::of(samples, "µs");
            points.push((count(*users), figure.median));
            report.row(format!("{users} users"), vec![("the read of a login", figure)]);
        }
        let growth = Figure::of(&reads[2], "µs").median / Figure::of(&reads[0], "µs").median;
        report.at_most("the read beside the most users ÷ beside the fewest", 1.2, Figure::once(growth, "×"));
        report.plot(Plot::Curves {
            file: "scale.svg",
            title: "The one read of a login, by number of users in PostgreSQL".to_owned(),
            x: "users",
            y: "microseconds",
            log: true,
            curves: vec![("find by e-mail address".to_owned(), points)],
        });
        for revoked in options.pick(vec![0, 1_000_000], vec![0, 1_000]) {
            let started = databases::with(options, TestDatabaseKind::Postgres, async |database| {
                start(options, &database, revoked).await
            });
            let Some((ready_after, memory)) = started.await? else { continue };
            let mut figures = vec![("ready after", Figure::once(ready_after.as_secs_f64() * 1e3, "ms"))];
            if let Some((now, most)) = memory {
                figures.extend([("memory", Figure::once(now, "MiB")), ("at most", Figure::once(most, "MiB"))]);
            }
            report.row(format!("a start with {revoked} revoked tokens"), figures);
        }
        Ok(report)
    })
}

/// Microseconds of the read that a login makes, by number of users.
async fn reads(options: &Options, database: &BenchDatabase, users: [usize; 3]) -> Result<Vec<Vec<f64>>, Failure> {
    let mut all = Vec::new();
    let mut there = 0;
    for many in users {
        // No more at once than the server lets a statement take time for.
        for begin in (there..many).step_by(50_000) {
            let end = many.min(begin + 50_000);
            database
                .execute(&format!(
                    "INSERT INTO auth_users (id, email, email_key, username, username_key, password_hash, admin, \
                     token_generation, disabled_at, registered_on) \
                     SELECT md5(n::text)::uuid, n || '@example.org', n || '@example.org', 'u' || n, 'u' || n, \
                     '$2b$12$' || substr(md5(n::text) || md5(n::text), 1, 53), false, 0, NULL, 0 \
                     FROM generate_series({begin}, {end} - 1) AS n"
                ))
                .await?;
        }
        database.execute("ANALYZE auth_users").await?;
        there = many;
        let mut samples = Vec::new();
        for number in 0..options.pick(4_000_usize, 20) {
            let email = Email::parse(&format!("{}@example.org", number * 7_919 % many))?;
            let began = Instant::now();
            let found = database.users.find_credentials(&email).await?;
            if number >= options.pick(1_000, 0) {
                samples.push(began.elapsed().as_secs_f64() * 1e6);
            }
            found.ok_or("a user is missing")?;
        }
        all.push(samples);
    }
    Ok(all)
}

/// How long a server takes until it is ready, and its memory in mebibytes.
async fn start(
    options: &Options,
    database: &BenchDatabase,
    revoked: u64,
) -> Result<(Duration, Option<(f64, f64)>), Failure> {
    fill(database, revoked).await?;
    let server = Server::start(options, &[("AUTH_DATABASE_URL", &database.url), ("AUTH_BCRYPT_COST", "4")]).await?;
    Ok((server.ready_after, server.memory()))
}
