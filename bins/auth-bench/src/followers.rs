//! Followers: services that check tokens with a copy of the blacklist. A check beside one of the server, the size and the loading
//! of a snapshot, the delay of a logout, and what a thousand followers cost their server.

mod check;
mod crowd;
mod delay;
mod snapshot;
mod transport;

pub(crate) use self::crowd::serve as serve_crowd;
use crate::Failure;
use crate::options::Options;
use crate::report::Report;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("followers", options);
    check::measure(options, &mut report)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        for entries in options.pick(vec![1_000_000, 10_000_000], vec![1_000]) {
            snapshot::measure(entries, &mut report).await?;
        }
        delay::measure(options, &mut report).await?;
        crowd::measure(options, &mut report).await
    })?;
    Ok(report)
}
