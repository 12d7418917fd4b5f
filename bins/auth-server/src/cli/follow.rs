//! `auth-server follow`: checks tokens for a gateway, from the feed of an auth server and without a database.

use std::process::ExitCode;
use std::sync::Arc;

use auth_core::BoxError;
use auth_follower::Follower;

use super::serve::{GRACE, STOP_TIMEOUT, listen};
use crate::config::{FollowConfig, LISTEN};
use crate::descriptors;
use crate::metrics::SidecarMetrics;
use crate::sidecar::Sidecar;
use crate::signals::Signals;

pub(super) async fn run(config: FollowConfig, signals: &Signals) -> Result<ExitCode, BoxError> {
    signals.handle_shutdown(STOP_TIMEOUT, Some(1));
    let follower = Arc::new(Follower::connect(config.follower)?);
    let sidecar = Sidecar::new(Arc::clone(&follower), SidecarMetrics::new()?);
    let server = listen(config.listen, LISTEN.variable(), sidecar).await?;
    let server = server.with_max_connections(descriptors::for_connections());
    let address = server.address();
    let bound = follower.stats().bound;
    tracing::info!(%address, ?bound, "listening on http://{address}; tokens are checked as soon as the auth server answers");
    let stop = async {
        let signal = signals.stopped().await;
        tracing::info!(%signal, "stopping; requests under way may finish");
    };
    let finished = server.run(stop, GRACE).await;
    tracing::info!("stopped");
    Ok(if finished { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
