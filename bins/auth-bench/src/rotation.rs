//! Rotation of managed keys under load: what nodes answer to good tokens while keys are published, sign and go.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::keys::{KeySchedule, KeyStore};
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthenticateError, Claims, Clock, Generation, ManualClock, SystemClock, TokenCodec as _, TokenId, TokenVerifier,
    UserId,
};
use auth_jwt::{KeyChange, ManagedKeys, ManagedKeysOptions, MasterKey, MasterKeys};
use auth_testing::databases::TestDatabaseKind;
use tokio::time::Instant;

use crate::Failure;
use crate::databases;
use crate::figure::{Figure, count, quantile, sorted};
use crate::options::Options;
use crate::report::Report;

/// Time that passes between two reads of the keys.
const STEP: Duration = Duration::from_mins(10);

/// Life of a token. A check that comes later than this, because the clock of the bench is so fast, counts for nothing.
const LIFE: Duration = Duration::from_hours(12);

const SCHEDULE: KeySchedule = KeySchedule {
    rotation: Duration::from_hours(4),
    jwks_max_age: Duration::from_mins(5),
    poll: STEP,
    token_life: LIFE,
};

/// Number of checks of one token. The first verifies a signature, unless the ring was exchanged.
const CHECKS_OF_A_TOKEN: usize = 8;

const MASTER: &str = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=";

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("rotation", options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let measured = databases::with(options, kind, async |database| {
                let total = options.pick(100_000, 1_000);
                let outcome = rotate_under_load(database.keys(), total).await?;
                outcome.report(database.name(), &mut report);
                Ok(())
            });
            if measured.await?.is_none() {
                report.note("PostgreSQL was left out: no server was named.");
            }
        }
        Ok(report)
    })
}

/// Counts of a run of two nodes, in which two tasks checked the tokens of one node on the other.
#[derive(Default)]
struct Outcome {
    micros: Vec<f64>,
    refused: usize,
    undecided: usize,
    late: usize,
    published: usize,
}

impl Outcome {
    fn report(&self, database: &str, report: &mut Report) {
        let checks = count(self.micros.len());
        let micros = sorted(&self.micros);
        report.row(
            database,
            vec![
                ("checks", Figure::once(checks, "")),
                ("keys published", Figure::once(count(self.published), "")),
                ("good tokens called invalid (401)", Figure::once(count(self.refused), "")),
                ("undecided (503)", Figure::once(count(self.undecided), "")),
                ("median of a check", Figure::once(quantile(&micros, 0.5), "µs")),
                ("p99 of a check", Figure::once(quantile(&micros, 0.99), "µs")),
            ],
        );
        report.at_most(
            format!("401 for a good token in {checks} checks, {database}"),
            0.0,
            Figure::once(count(self.refused), ""),
        );
        if self.late > 0 {
            report.note(format!("{} checks on {database} came after the token had expired.", self.late));
        }
    }

    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.refused += other.refused;
        self.undecided += other.undecided;
        self.late += other.late;
    }
}

async fn rotate_under_load(store: Arc<dyn KeyStore>, total: usize) -> Result<Outcome, Failure> {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let nodes = [node(&store, &clock)?, node(&store, &clock)?];
    for node in &nodes {
        node.sync().await?;
    }
    let (stop, checked) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let mut checkers = tokio::task::JoinSet::new();
    for (signs, checks) in [(0, 1), (1, 0)] {
        let load = Load {
            signer: Arc::clone(&nodes[signs]),
            verifier: verifier(&nodes[checks], &clock)?,
            clock: Arc::clone(&clock),
            stop: Arc::clone(&stop),
            checked: Arc::clone(&checked),
        };
        checkers.spawn(load.run());
    }
    let mut published = 0;
    while checked.load(Ordering::Relaxed) < total as u64 {
        clock.advance(STEP);
        for node in &nodes {
            let changes = node.sync().await?;
            published += changes.iter().filter(|change| matches!(change, KeyChange::Published { .. })).count();
        }
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut outcome = Outcome { published, ..Outcome::default() };
    while let Some(of_one) = checkers.join_next().await {
        outcome.add(of_one??);
    }
    Ok(outcome)
}

/// Signs on one node and checks on the other until it is stopped.
struct Load {
    signer: Arc<ManagedKeys>,
    verifier: TokenVerifier,
    clock: Arc<ManualClock>,
    stop: Arc<AtomicBool>,
    checked: Arc<AtomicU64>,
}

impl Load {
    async fn run(self) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        while !self.stop.load(Ordering::Relaxed) {
            let token = self.signer.encode(&self.claims()?)?;
            for _ in 0..CHECKS_OF_A_TOKEN {
                let begun = Instant::now();
                let answer = self.verifier.authenticate(token.expose_token()).await;
                let took = begun.elapsed();
                match answer {
                    Ok(_) => {}
                    Err(AuthenticateError::Invalid | AuthenticateError::Revoked) => outcome.refused += 1,
                    Err(AuthenticateError::Unknown(_)) => outcome.undecided += 1,
                    Err(AuthenticateError::Expired) => {
                        outcome.late += 1;
                        continue;
                    }
                }
                outcome.micros.push(took.as_secs_f64() * 1e6);
                self.checked.fetch_add(1, Ordering::Relaxed);
            }
            tokio::task::yield_now().await;
        }
        Ok(outcome)
    }

    fn claims(&self) -> Result<Claims, Failure> {
        let now = self.clock.now();
        Ok(Claims {
            user_id: UserId::generate(now)?,
            token_id: TokenId::generate()?,
            session_id: None,
            issued_at: now,
            expires_at: now + LIFE,
            generation: Generation::default(),
            admin: false,
            key_id: None,
            grants: None,
        })
    }
}

fn node(store: &Arc<dyn KeyStore>, clock: &Arc<ManualClock>) -> Result<Arc<ManagedKeys>, Failure> {
    let masters = MasterKeys::new(MasterKey::from_base64(MASTER)?, None);
    let options = ManagedKeysOptions::new(SCHEDULE, "bench", "bench");
    let sleep = Arc::new(|time| -> Pin<Box<dyn Future<Output = ()> + Send>> { Box::pin(tokio::time::sleep(time)) });
    let clock: Arc<dyn Clock> = clock.clone();
    Ok(Arc::new(ManagedKeys::new(Arc::clone(store), masters, options, clock, sleep)))
}

fn verifier(node: &Arc<ManagedKeys>, clock: &Arc<ManualClock>) -> Result<TokenVerifier, Failure> {
    let blacklist = UnsyncedBlacklist::new(Arc::new(MemoryStore::new()?));
    Ok(TokenVerifier::new(node.clone(), Arc::new(blacklist), clock.clone()))
}
