//! From the acknowledgement of a logout on one node to the refusal of the token on another, over one PostgreSQL.

use std::time::Duration;

use auth_testing::databases::TestDatabaseKind;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::databases;
use crate::figure::{Figure, millis, quantile, sorted};
use crate::load::{Connection, ask};
use crate::options::Options;
use crate::plot::{Plot, distribution};
use crate::report::Report;
use crate::server::Server;

/// How often a node reads the log: the default.
const POLL: Duration = Duration::from_millis(250);

/// How far the other node may be behind that.
const MARGIN: Duration = Duration::from_millis(50);

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("propagation", options);
    let measured = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(databases::with(
        options,
        TestDatabaseKind::Postgres,
        async |database| measure(options, &database.url).await,
    ))?;
    let Some(delays) = measured else {
        report.note("Left out: no PostgreSQL server was named.");
        return Ok(report);
    };
    let delays = sorted(&delays);
    let at = |share| Figure { samples: delays.len(), ..Figure::once(quantile(&delays, share), "ms") };
    report.row(
        format!("{} logouts", delays.len()),
        vec![("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("most", at(1.0))],
    );
    report.at_most("p99, in milliseconds (the poll interval + 50 ms)", millis(POLL + MARGIN), at(0.99));
    report.plot(Plot::Curves {
        file: "propagation.svg",
        title: "From a logout on one node to the refusal on another, polling every 250 ms".to_owned(),
        x: "milliseconds",
        y: "share of logouts",
        log: false,
        curves: vec![distribution("refused on the other node", &delays)],
    });
    Ok(report)
}

async fn measure(options: &Options, database: &str) -> Result<Vec<f64>, Failure> {
    let settings = [("AUTH_BCRYPT_COST", "4"), ("AUTH_DATABASE_URL", database), ("AUTH_THROTTLE", "off")];
    let (near, far) = (Server::start(options, &settings).await?, Server::start(options, &settings).await?);
    near.register("ada").await?;
    let login = near.login("ada")?;
    let mut delays = Vec::new();
    for number in 0..options.pick(400_u32, 2) {
        let token = near.token(&login).await?;
        let check = far.verify(&token)?;
        let mut connection = Connection::open(&check).await?;
        if connection.ask(&check).await?.status != 200 {
            return Err("the other node does not know the key".into());
        }
        // Not in step with the polls.
        sleep(Duration::from_millis(u64::from(number * 37 % 250))).await;
        let logged_out = ask(&near.logout(&token)?).await?;
        let acknowledged = Instant::now();
        if logged_out.status != 200 {
            return Err(format!("the logout was not acknowledged: {logged_out:?}").into());
        }
        while connection.ask(&check).await?.status == 200 {
            sleep(Duration::from_millis(1)).await;
        }
        delays.push(millis(acknowledged.elapsed()));
    }
    Ok(delays)
}
