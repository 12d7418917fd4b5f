//! The cost of a database call: each call of the stores beside bare sqlx with the same statements on the same database, in
//! turns, and the processor time of `GET /user/me`, which is one read by primary key behind the whole server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{
    Clock as _, Email, NewUser, PasswordHash, RevocationLog, SideEffects, SystemClock, UserId, UserStore, Username,
};
use auth_testing::databases::TestDatabaseKind;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::Failure;
use crate::check::revocation;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count};
use crate::load::{Request, closed_loop};
use crate::options::Options;
use crate::report::Report;
use crate::server::{Server, bearer};

mod bare;

/// Connections over which `GET /user/me` is asked for.
const HTTP_CONNECTIONS: usize = 32;

/// One kind of call that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    FindById,
    FindCredentials,
    Insert,
    Append,
}

impl Operation {
    fn is_read(self) -> bool {
        matches!(self, Self::FindById | Self::FindCredentials)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FindById => "find by id",
            Self::FindCredentials => "find credentials",
            Self::Insert => "insert",
            Self::Append => "append",
        })
    }
}

/// The operations with the numbers of callers. Writers take turns on SQLite, so a write has one caller.
const MEASURED: [(Operation, usize); 6] = [
    (Operation::FindById, 1),
    (Operation::FindById, 32),
    (Operation::FindCredentials, 1),
    (Operation::FindCredentials, 32),
    (Operation::Insert, 1),
    (Operation::Append, 1),
];

/// An implementation of the operations.
#[async_trait]
trait Contestant: Send + Sync {
    /// Returns the user with this id.
    async fn find_by_id(&self, id: UserId) -> Result<(), Failure>;
    /// Returns the user with this address, with the hash of the password.
    async fn find_credentials(&self, email: &Email) -> Result<(), Failure>;
    /// Inserts a new user.
    async fn insert(&self, user: NewUser) -> Result<(), Failure>;
    /// Appends one revocation to the log.
    async fn append(&self, revocation: auth_core::Revocation) -> Result<(), Failure>;
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("store", options);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let measured = databases::with(options, kind, async |database| {
                let calls = measure(options, &database).await?;
                Ok((database.name(), calls, user_me(options, &database).await?))
            });
            let Some((database, calls, user_me)) = measured.await? else {
                report.note("PostgreSQL was left out: no server was named.");
                continue;
            };
            for call in &calls {
                call.report(database, &mut report);
            }
            if let Some(processor) = user_me {
                let what = format!("{database}, GET /user/me, {HTTP_CONNECTIONS} connections");
                report.row(&what, vec![("processor", processor.clone())]);
                if kind == TestDatabaseKind::Sqlite {
                    report.at_most(format!("{what}, processor in µs"), 100.0, processor);
                }
            }
        }
        report.note(
            "A time is that of one call, waiting included; the processor time is that of this process (of the server's process \
             for GET /user/me), divided by the calls. What PostgreSQL uses itself is in the time alone.",
        );
        Ok(report)
    })
}

/// The samples of one operation with one number of callers.
struct Calls {
    operation: Operation,
    callers: usize,
    ours: Samples,
    bare: Samples,
}

/// Microseconds a call, one sample a round.
#[derive(Default)]
struct Samples {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

impl Calls {
    fn report(&self, database: &str, report: &mut Report) {
        let Self { operation, callers, ours, bare } = self;
        let what = format!("{database}, {operation}, {callers} at a time");
        let wall = Figure::ratio(&ours.wall, &bare.wall);
        let processor = Figure::ratio(&ours.processor, &bare.processor);
        report.row(
            &what,
            vec![
                ("a call", Figure::of(&ours.wall, "µs")),
                ("bare sqlx", Figure::of(&bare.wall, "µs")),
                ("time ÷ bare", wall.clone()),
                ("processor", Figure::of(&ours.processor, "µs")),
                ("bare sqlx, processor", Figure::of(&bare.processor, "µs")),
                ("processor ÷ bare", processor.clone()),
            ],
        );
        if operation.is_read() {
            report.at_most(format!("{what}: time ÷ bare sqlx"), 1.3, wall);
            report.at_most(format!("{what}: processor ÷ bare sqlx"), 1.3, processor);
        }
    }
}

async fn measure(options: &Options, database: &BenchDatabase) -> Result<Vec<Calls>, Failure> {
    let work = Arc::new(Work::prepare(options, database).await?);
    let ours: Arc<dyn Contestant> = Arc::new(Stores { users: database.users.clone(), log: database.log.clone() });
    let bare = bare::connect(database.kind, &database.url).await?;
    let mut all = Vec::new();
    for (operation, callers) in MEASURED {
        let mut calls = Calls { operation, callers, ours: Samples::default(), bare: Samples::default() };
        let many = options.pick(if operation.is_read() { 4_000 } else { 400 }, callers);
        for round in 0..=options.pick(9, 1) {
            let mut contestants = [(&ours, &mut calls.ours), (&bare, &mut calls.bare)];
            if round % 2 == 1 {
                contestants.reverse();
            }
            for (contestant, samples) in contestants {
                let (wall, processor) = work.run(contestant, operation, callers, many).await?;
                if round > 0 {
                    samples.wall.push(wall);
                    samples.processor.push(processor);
                }
            }
        }
        all.push(calls);
    }
    Ok(all)
}

/// The stores of `auth-storage`.
struct Stores {
    users: Arc<dyn UserStore>,
    log: Arc<dyn RevocationLog>,
}

#[async_trait]
impl Contestant for Stores {
    async fn find_by_id(&self, id: UserId) -> Result<(), Failure> {
        self.users.find_by_id(id).await?.map(drop).ok_or_else(missing)
    }

    async fn find_credentials(&self, email: &Email) -> Result<(), Failure> {
        self.users.find_credentials(email).await?.map(drop).ok_or_else(missing)
    }

    async fn insert(&self, user: NewUser) -> Result<(), Failure> {
        self.users.insert(user, SideEffects::default()).await?;
        Ok(())
    }

    async fn append(&self, revocation: auth_core::Revocation) -> Result<(), Failure> {
        self.log.append(&[revocation]).await?;
        Ok(())
    }
}

fn missing() -> Failure {
    "a user is missing".into()
}

/// Users to look for, and a source of new ones.
struct Work {
    users: Vec<(UserId, Email)>,
    next: AtomicUsize,
}

impl Work {
    async fn prepare(options: &Options, database: &BenchDatabase) -> Result<Self, Failure> {
        let mut work = Self { users: Vec::new(), next: AtomicUsize::new(0) };
        for _ in 0..options.pick(1_000, 8) {
            let user = database.users.insert(work.new_user()?, SideEffects::default()).await?;
            work.users.push((user.id, user.email));
        }
        Ok(work)
    }

    fn new_user(&self) -> Result<NewUser, Failure> {
        let name = format!("user{}", self.next.fetch_add(1, Ordering::Relaxed));
        let now = SystemClock.now();
        Ok(NewUser {
            id: UserId::generate(now)?,
            email: Email::parse(&format!("{name}@example.org"))?,
            username: Username::parse(&name)?,
            email_verified: false,
            password_hash: PasswordHash::new(format!("$2b$12${}", "a".repeat(53))),
            admin: false,
            registered_on: now,
        })
    }

    /// Makes `many` calls, `callers` at a time. Returns the microseconds that a call took, and those of processor time.
    async fn run(
        self: &Arc<Self>,
        contestant: &Arc<dyn Contestant>,
        operation: Operation,
        callers: usize,
        many: usize,
    ) -> Result<(f64, f64), Failure> {
        let each = many.div_ceil(callers);
        let (processor, began) = (processor_time(), Instant::now());
        let caller = |caller: usize| {
            let (work, contestant) = (Arc::clone(self), Arc::clone(contestant));
            tokio::spawn(async move {
                for number in 0..each {
                    work.call(contestant.as_ref(), operation, caller * each + number).await?;
                }
                Ok::<_, Failure>(())
            })
        };
        for caller in (0..callers).map(caller).collect::<Vec<_>>() {
            caller.await??;
        }
        let (wall, processor) = (began.elapsed(), processor_time().saturating_sub(processor));
        let micros = |total: Duration| total.as_secs_f64() * 1e6;
        Ok((micros(wall) / count(each), micros(processor) / count(each * callers)))
    }

    async fn call(&self, contestant: &dyn Contestant, operation: Operation, number: usize) -> Result<(), Failure> {
        let (id, email) = &self.users[number.wrapping_mul(7_919) % self.users.len()];
        match operation {
            Operation::FindById => contestant.find_by_id(*id).await,
            Operation::FindCredentials => contestant.find_credentials(email).await,
            Operation::Insert => contestant.insert(self.new_user()?).await,
            Operation::Append => contestant.append(revocation(SystemClock.now(), 0)?).await,
        }
    }
}

/// User and system time of all threads of this process.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Processor microseconds of the server for one `GET /user/me`, where the platform tells.
async fn user_me(options: &Options, database: &BenchDatabase) -> Result<Option<Figure>, Failure> {
    let settings = [("AUTH_DATABASE_URL", database.url.as_str()), ("AUTH_BCRYPT_COST", "4")];
    let server = Server::start(options, &settings).await?;
    let token = server.register("ada").await?;
    let request = Request::get(&server.url("/user/me")?, &[bearer(&token)])?;
    let lasting = options.pick(Duration::from_secs(2), Duration::from_millis(60));
    let mut samples = Vec::new();
    for round in 0..=options.pick(7, 1) {
        let before = server.processor_time();
        let outcome = closed_loop(&request, HTTP_CONNECTIONS, lasting).await?;
        if outcome.lost() > 0 {
            return Err("a request failed".into());
        }
        let Some((before, after)) = before.zip(server.processor_time()) else { return Ok(None) };
        if round > 0 {
            samples.push(after.saturating_sub(before).as_secs_f64() * 1e6 / count(outcome.latencies.len()));
        }
    }
    Ok(Some(Figure::of(&samples, "µs")))
}
