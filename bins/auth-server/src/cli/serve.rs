//! Running the server: start, wait for a signal, stop in order.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{BoxError, SystemClock};
use tokio::sync::watch;

use crate::app::App;
use crate::config::{Config, Setting};
use crate::descriptors;
use crate::server::{Application, Server};
use crate::signals::Signals;

/// How long requests that are under way may take to finish after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// How many connections the listener for health checks takes, beside those of clients.
const MAX_HEALTH_CONNECTIONS: usize = 16;

/// How long the database may take to be closed after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long all of it may take before the process is ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn run(config: &Config, signals: &Signals) -> Result<ExitCode, BoxError> {
    signals.take_charge(STOP_TIMEOUT, Some(1));
    let max_connections = descriptors::for_connections();
    let start = async {
        let app = App::build(config, Arc::new(SystemClock)).await?;
        if !app.is_migrated().await? {
            tracing::warn!("the database is not migrated, so this server is not ready; run `auth-server migrate up`");
        }
        let sync = app.sync();
        sync.begin().await;
        let server = listen(config.listen, Setting::Listen, app.endpoint()).await?;
        let server = server.with_max_connections(max_connections);
        app.watch_connections(server.connections())?;
        let health = match config.health_listen {
            Some(address) => Some(listen(address, Setting::HealthListen, app.health_endpoint()).await?),
            None => None,
        };
        let health = health.map(|health| health.with_max_connections(MAX_HEALTH_CONNECTIONS));
        Ok::<_, BoxError>((app, sync, server, health))
    };
    // A database may not answer, or another process may be migrating it.
    let (app, sync, server, health) = tokio::select! {
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
        health = health.as_ref().map_or_else(|| "off".to_owned(), |health| format!("http://{}", health.address())),
        docs = if config.docs { format!("http://{address}/docs") } else { "off".to_owned() },
        "listening on http://{address}"
    );

    let (stopping, stopped) = watch::channel(false);
    let purge = tokio::spawn(app.purge().run(stopped.clone()));
    let clock_watch = tokio::spawn(app.clock_watch().run(stopped.clone()));
    let sync = tokio::spawn(sync.run(stopped));
    let health = health.map(|health| {
        let signals = signals.clone();
        tokio::spawn(health.run(
            async move {
                let _ = signals.stopped().await;
            },
            GRACE,
        ))
    });
    let finished = server.run(stop(signals), GRACE).await;

    stopping.send_replace(true);
    // They end at once; what they may have panicked with is in the log.
    let _ = tokio::join!(purge, clock_watch, sync);
    if let Some(health) = health {
        let _ = health.await;
    }
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

async fn listen<A: Application + 'static>(
    address: SocketAddr,
    setting: Setting,
    application: A,
) -> Result<Server<A>, BoxError> {
    let bound = Server::bind(address, application).await;
    bound.map_err(|error| format!("cannot listen on {address} ({}): {error}", setting.variable()).into())
}

/// Returns once a signal asks to stop.
async fn stop(signals: &Signals) {
    let signal = signals.stopped().await;
    tracing::info!(%signal, "stopping; requests under way may finish");
}
