//! Does the time of a refused login tell who has an account? Unknown user, wrong password and disabled user in turns, and
//! a test of whether the three come from one distribution.

use crate::Failure;
use crate::figure::{Figure, count, quantile, sorted};
use crate::load::{Connection, Request};
use crate::options::Options;
use crate::plot::{Plot, distribution};
use crate::report::Report;
use crate::server::{PASSWORD, Server};

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("enumeration", options);
    let samples = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(options))?;
    for (name, samples) in &samples {
        report.row(*name, vec![("refused after", Figure::of(samples, "ms"))]);
    }
    let known = &samples[0].1;
    for (name, others) in &samples[1..] {
        let ratio = quantile(&sorted(others), 0.5) / quantile(&sorted(known), 0.5);
        let apart = Figure::once((ratio - 1.0).abs() * 100.0, "%");
        report.at_most(format!("median of {name}, apart from that of a wrong password (in %)"), 1.0, apart);
        let z = mann_whitney(known, others);
        report.row(format!("Mann-Whitney, {name}"), vec![("|z|", Figure::once(z.abs(), ""))]);
    }
    report.note(
        "|z| above 2.58 would tell the two apart at the 1 % level, with so many tries of one's own on a quiet line.",
    );
    report.plot(Plot::Curves {
        file: "enumeration.svg",
        title: "How long a login is refused after".to_owned(),
        x: "milliseconds",
        y: "share of logins",
        log: false,
        curves: samples.iter().map(|(name, samples)| distribution(*name, &sorted(samples))).collect(),
    });
    Ok(report)
}

async fn measure(options: &Options) -> Result<[(&'static str, Vec<f64>); 3], Failure> {
    // Cheap hashes: many samples, and a difference beside the hash is a larger share of the whole.
    let cost = options.pick("8", "4");
    let server = Server::start(options, &[("AUTH_BCRYPT_COST", cost), ("AUTH_THROTTLE", "off")]).await?;
    server.register("ada").await?;
    server.register("eve").await?;
    server.command(&["user", "disable", "eve@example.org"])?;
    let requests: [Request; 3] = [
        server.login_with("ada", "not the right one")?,
        server.login_with("nobody", PASSWORD)?,
        server.login_with("eve", PASSWORD)?,
    ];
    let mut samples = [("wrong password", Vec::new()), ("unknown user", Vec::new()), ("disabled user", Vec::new())];
    let mut connection = Connection::open(&requests[0]).await?;
    for round in 0..options.pick(1_500_usize, 5) {
        for turn in 0..3 {
            // Each goes first as often as the others.
            let which = (round + turn) % 3;
            let began = tokio::time::Instant::now();
            let answer = connection.ask(&requests[which]).await?;
            let took = crate::figure::millis(began.elapsed());
            if answer.status != 401 {
                return Err(format!("not refused: {answer:?}").into());
            }
            samples[which].1.push(took);
        }
    }
    Ok(samples)
}

/// The Mann-Whitney U of two samples, as the number of standard deviations from what chance gives.
fn mann_whitney(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = one.iter().map(|value| (*value, true)).collect();
    all.extend(other.iter().map(|value| (*value, false)));
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let ranks = (1..).map(count).zip(&all).filter(|(_, (_, of_one))| *of_one).map(|(rank, _)| rank);
    let (n, m) = (count(one.len()), count(other.len()));
    let u = ranks.sum::<f64>() - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_kind_are_not_told_apart_and_shifted_ones_are() {
        let even: Vec<f64> = (0..200).map(|number| count(number * 2)).collect();
        let odd: Vec<f64> = (0..200).map(|number| count(number * 2 + 1)).collect();
        let later: Vec<f64> = even.iter().map(|value| value + 100.0).collect();
        assert!(mann_whitney(&even, &odd).abs() < 0.2);
        assert!(mann_whitney(&even, &later) < -5.0);
    }
}
