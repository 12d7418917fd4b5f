//! Letters a second, from the outbox of a server to a local mail server that takes everything.

use std::time::Duration;

use auth_core::letters::{Language, Letter, LetterId, LetterKind, LetterSecret};
use auth_core::{
    Clock as _, Email, OneTimeCode, OneTimeToken, OneTimeTokenStore as _, SideEffects, SystemClock, UserId, Username,
};
use auth_testing::databases::TestDatabaseKind;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count};
use crate::options::Options;
use crate::report::Report;
use crate::server::Server;

use self::sink::Sink;

mod sink;

/// Number of letters that one transaction puts into the outbox.
const BATCH: usize = 500;

/// Maximum time until all letters have arrived.
const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("letters", options);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let measured = databases::with(options, kind, async |database| {
                let name = database.name();
                Ok((name, measure(options, &database).await?))
            });
            let Some((name, Measured { rate, early, late })) = measured.await? else {
                report.note("PostgreSQL was left out: no server was named.");
                continue;
            };
            report.row(name, vec![("letters", Figure::once(rate, "/s"))]);
            if let (Some(early), Some(late)) = (early, late) {
                let figures =
                    vec![("after a tenth", Figure::once(early, "MiB")), ("at the end", Figure::once(late, "MiB"))];
                report.row(format!("{name}, memory"), figures);
                let grown = Figure::once(late / early, "");
                report.at_most(format!("{name}: memory at the end ÷ after a tenth of the letters"), 1.1, grown);
            }
        }
        Ok(report)
    })
}

struct Measured {
    /// Letters a second.
    rate: f64,
    /// Memory of the server after a tenth of the letters, in mebibytes.
    early: Option<f64>,
    /// Memory of the server after the last letter, in mebibytes.
    late: Option<f64>,
}

async fn measure(options: &Options, database: &BenchDatabase) -> Result<Measured, Failure> {
    let letters = options.pick(10_000, 20);
    fill(database, letters).await?;
    let sink = Sink::listen().await?;
    let settings = [
        ("AUTH_DATABASE_URL", database.url.as_str()),
        ("AUTH_MAIL", &format!("smtp://{}?tls=none", sink.address())),
        ("AUTH_MAIL_FROM", "accounts@example.org"),
        ("AUTH_PUBLIC_URL", "https://accounts.example.org"),
    ];
    let server = Server::start(options, &settings).await?;
    let began = Instant::now();
    let already = sink.received();
    let mut early = None;
    while sink.received() < letters {
        if began.elapsed() > PATIENCE {
            return Err(format!("only {} letters arrived", sink.received()).into());
        }
        if early.is_none() && sink.received() >= letters / 10 {
            early = server.memory().map(|(now, _)| now);
        }
        sleep(Duration::from_millis(5)).await;
    }
    let rate = count(letters - already) / began.elapsed().as_secs_f64();
    Ok(Measured { rate, early, late: server.memory().map(|(now, _)| now) })
}

/// Puts letters into the outbox.
async fn fill(database: &BenchDatabase, letters: usize) -> Result<(), Failure> {
    let now = SystemClock.now();
    for begin in (0..letters).step_by(BATCH) {
        let batch = (begin..letters.min(begin + BATCH)).map(|number| letter(number, now));
        let effects = SideEffects { letters: batch.collect::<Result<_, _>>()?, ..SideEffects::default() };
        database.one_time_tokens.write(effects).await?;
    }
    Ok(())
}

fn letter(number: usize, now: OffsetDateTime) -> Result<Letter, Failure> {
    Ok(Letter {
        id: LetterId::generate()?,
        kind: LetterKind::ResetPassword,
        user_id: UserId::generate(now)?,
        to: Some(Email::parse(&format!("user{number}@example.org"))?),
        username: Username::parse(&format!("user{number}"))?,
        secret: Some(LetterSecret {
            token: OneTimeToken::generate()?,
            code: Some(OneTimeCode::generate()?),
            expires_at: now + Duration::from_secs(3600),
        }),
        language: Language::default(),
        created_at: now,
    })
}
