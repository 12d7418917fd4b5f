//! Running the server: start, wait for a signal, stop in order.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{BoxError, SystemClock};
use tokio::sync::watch;

use crate::app::App;
use crate::config::Config;
use crate::server::Server;
use crate::signals::Signals;

/// How long requests that are under way may take to finish after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// How long the database may take to be closed after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long all of it may take before the process is ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn run(config: &Config, signals: &Signals) -> Result<ExitCode, BoxError> {
    signals.take_charge(STOP_TIMEOUT, Some(1));
    let start = async {
        let app = App::build(config, Arc::new(SystemClock)).await?;
        if !app.is_migrated().await? {
            tracing::warn!("the database is not migrated, so this server is not ready; run `auth-server migrate up`");
        }
        let sync = app.sync();
        sync.begin().await;
        let server = Server::bind(config.listen, app.endpoint()).await.map_err(|error| {
            let address = config.listen;
            BoxError::from(format!("cannot listen on {address} (AUTH_LISTEN): {error}"))
        })?;
        Ok::<_, BoxError>((app, sync, server))
    };
    // A database may not answer, or another process may be migrating it.
    let (app, sync, server) = tokio::select! {
        biased;
        stop = signals.stopped() => {
            tracing::info!(signal = %stop, "stopped before serving");
            return Ok(ExitCode::SUCCESS);
        }
        started = start => started?,
    };
    let address = server.address();
    tracing::info!(
        %address,
        profile = %config.profile,
        database = %config.database_url,
        docs = if config.docs { format!("http://{address}/docs") } else { "off".to_owned() },
        "listening on http://{address}"
    );

    let (stopping, stopped) = watch::channel(false);
    let purge = tokio::spawn(app.purge().run(stopped.clone()));
    let clock_watch = tokio::spawn(app.clock_watch().run(stopped.clone()));
    let sync = tokio::spawn(sync.run(stopped));
    let finished = server.run(stop(signals), GRACE).await;

    stopping.send_replace(true);
    // They end at once; what they may have panicked with is in the log.
    let _ = tokio::join!(purge, clock_watch, sync);
    if tokio::time::timeout(CLOSE_TIMEOUT, app.close()).await.is_err() {
        tracing::warn!(seconds = CLOSE_TIMEOUT.as_secs(), "the database did not answer while it was closed");
    }
    if finished {
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    } else {
        tracing::warn!(grace_seconds = GRACE.as_secs(), "stopped; some requests did not finish in time");
        Ok(ExitCode::FAILURE)
    }
}

/// Returns once a signal asks to stop.
async fn stop(signals: &Signals) {
    let signal = signals.stopped().await;
    tracing::info!(%signal, "stopping; requests under way may finish");
}
