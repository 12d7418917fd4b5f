//! Does the time of an answer tell who has an account? Logins that are refused, and requests for letters. In each group the
//! requests take turns, and a test says whether all come from one distribution.

use serde_json::json;
use tempfile::TempDir;

use crate::Failure;
use crate::figure::{Figure, count, quantile, sorted};
use crate::load::{Connection, Request};
use crate::options::Options;
use crate::plot::{Plot, distribution};
use crate::report::Report;
use crate::server::{PASSWORD, Server};

/// Requests that must not be told apart by time. The first is the one that the others are compared with.
struct Group {
    /// Name of the group in the plot and in the goals.
    name: &'static str,
    file: &'static str,
    /// The status of every answer.
    status: u16,
    requests: Vec<(&'static str, Request)>,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("enumeration", options);
    let measured = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(options))?;
    for (group, samples) in &measured {
        for (name, samples) in samples {
            report.row(format!("{}, {name}", group.name), vec![("answered after", Figure::of(samples, "ms"))]);
        }
        let (first, known) = &samples[0];
        for (name, others) in &samples[1..] {
            let ratio = quantile(&sorted(others), 0.5) / quantile(&sorted(known), 0.5);
            let apart = Figure::once((ratio - 1.0).abs() * 100.0, "%");
            report.at_most(format!("{}: median of {name}, apart from that of {first} (in %)", group.name), 1.0, apart);
            let z = mann_whitney(known, others);
            let what = format!("Mann-Whitney, {}, {name}", group.name);
            report.row(what, vec![("|z|", Figure::once(z.abs(), ""))]);
        }
        report.plot(Plot::Curves {
            file: group.file,
            title: format!("How long a {} takes", group.name),
            x: "milliseconds",
            y: "share of requests",
            log: false,
            curves: samples.iter().map(|(name, samples)| distribution(*name, &sorted(samples))).collect(),
        });
    }
    report.note(
        "|z| above 2.58 would tell the two apart at the 1 % level, with so many tries of one's own on a quiet line.",
    );
    Ok(report)
}

type Samples = Vec<(&'static str, Vec<f64>)>;

async fn measure(options: &Options) -> Result<Vec<(Group, Samples)>, Failure> {
    // Cheap hashes: many samples, and a difference beside the hash is a larger share of the whole.
    let cost = options.pick("8", "4");
    let letters = TempDir::new()?;
    let mail = format!("file:{}", letters.path().display());
    let settings = [
        ("AUTH_BCRYPT_COST", cost),
        ("AUTH_THROTTLE", "off"),
        ("AUTH_MAIL", &mail),
        ("AUTH_MAIL_FROM", "accounts@example.org"),
        ("AUTH_PUBLIC_URL", "https://accounts.example.org"),
    ];
    let server = Server::start(options, &settings).await?;
    for name in ["ada", "bob", "eve"] {
        server.register(name).await?;
    }
    server.command(&["user", "verify-email", "bob@example.org"])?;
    server.command(&["user", "disable", "eve@example.org"])?;
    let mut measured = Vec::new();
    for group in groups(&server)? {
        let samples = take_turns(&group, options.pick(1_500, 5)).await?;
        measured.push((group, samples));
    }
    Ok(measured)
}

fn groups(server: &Server) -> Result<[Group; 3], Failure> {
    let letter = |path: &str, name: &str| -> Result<Request, Failure> {
        let body = json!({"email": format!("{name}@example.org")}).to_string();
        Request::post(&server.url(path)?, &[], &body)
    };
    let login = Group {
        name: "refused login",
        file: "enumeration.svg",
        status: 401,
        requests: vec![
            ("wrong password", server.login_with("ada", "not the right one")?),
            ("unknown user", server.login_with("nobody", PASSWORD)?),
            ("disabled user", server.login_with("eve", PASSWORD)?),
        ],
    };
    let forgot = Group {
        name: "request to reset a password",
        file: "enumeration-forgot.svg",
        status: 202,
        requests: vec![
            ("known address", letter("/auth/password/forgot", "ada")?),
            ("unknown address", letter("/auth/password/forgot", "nobody")?),
            ("disabled user", letter("/auth/password/forgot", "eve")?),
        ],
    };
    let resend = Group {
        name: "request to verify an address",
        file: "enumeration-resend.svg",
        status: 202,
        requests: vec![
            ("known address", letter("/auth/email/verify/resend", "ada")?),
            ("unknown address", letter("/auth/email/verify/resend", "nobody")?),
            ("verified address", letter("/auth/email/verify/resend", "bob")?),
        ],
    };
    Ok([login, forgot, resend])
}

/// Sends the requests of a group in turns, and returns how long each took.
async fn take_turns(group: &Group, rounds: usize) -> Result<Samples, Failure> {
    let mut samples: Samples = group.requests.iter().map(|(name, _)| (*name, Vec::with_capacity(rounds))).collect();
    let mut connection = Connection::open(&group.requests[0].1).await?;
    for round in 0..rounds {
        for turn in 0..samples.len() {
            // Each goes first as often as the others.
            let which = (round + turn) % samples.len();
            let began = tokio::time::Instant::now();
            let answer = connection.ask(&group.requests[which].1).await?;
            let took = crate::figure::millis(began.elapsed());
            if answer.status != group.status {
                return Err(format!("{} was answered with {answer:?}", group.name).into());
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
