//! `auth-server serve`: starts the server, waits for a signal and stops in order.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{BoxError, SystemClock};
use tokio::sync::watch;

use crate::app::{App, AppError};
use crate::config::{Config, HEALTH_LISTEN, LISTEN};
use crate::descriptors;
use crate::server::{Application, Server};
use crate::signals::Signals;
use crate::tasks;

/// Time that requests have to finish after the signal to stop.
pub(super) const GRACE: Duration = Duration::from_secs(20);

/// Largest number of connections of the listener for health checks. They do not count as connections of clients.
const MAX_HEALTH_CONNECTIONS: usize = 16;

/// Time that letters which are being sent have to arrive after the requests have finished. They are told to stop at the signal.
const DELIVERY_GRACE: Duration = Duration::from_secs(4);

/// Time that closing the database may take after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that stopping may take altogether. After it the process exits.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn run(config: &Config, signals: &Signals) -> Result<ExitCode, BoxError> {
    signals.handle_shutdown(STOP_TIMEOUT, Some(1));
    let max_connections = descriptors::for_connections();
    let start = async {
        let app = App::build(config, Arc::new(SystemClock)).await?;
        if !app.is_migrated().await? {
            tracing::warn!("the database is not migrated, so this server is not ready; run `auth-server migrate up`");
        }
        let follower = app.log_follower();
        follower.begin().await;
        let keys = app.key_follower();
        if let Some(keys) = &keys {
            keys.begin().await.map_err(AppError::from)?;
        }
        let server = listen(config.listen, LISTEN.variable(), app.endpoint()).await?;
        let server = server.with_max_connections(max_connections);
        app.watch_connections(server.connections())?;
        let health = match config.health_listen {
            Some(address) => Some(listen(address, HEALTH_LISTEN.variable(), app.health_endpoint()).await?),
            None => None,
        };
        let health = health.map(|health| health.with_max_connections(MAX_HEALTH_CONNECTIONS));
        Ok::<_, BoxError>((app, follower, keys, server, health))
    };
    // Starting may take long: a database may not answer, or another process may be migrating it.
    let (app, follower, keys, server, health) = tokio::select! {
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
    let purge = tokio::spawn(tasks::run_until(stopped.clone(), app.purge().run()));
    let clock_watch = tokio::spawn(tasks::run_until(stopped.clone(), app.clock_watch().run()));
    let keys = keys.map(|keys| tokio::spawn(tasks::run_until(stopped.clone(), keys.run())));
    let follower = tokio::spawn(tasks::run_until(stopped, follower.run()));
    let delivery = app.delivery().map(|delivery| {
        let (signals, (stopping, stopped)) = (signals.clone(), watch::channel(false));
        tokio::spawn(async move {
            let until_signal = async {
                signals.stopped().await;
                stopping.send_replace(true);
            };
            tokio::join!(delivery.run(stopped), until_signal);
        })
    });
    let health = health.map(|health| {
        let signals = signals.clone();
        tokio::spawn(health.run(
            async move {
                let _ = signals.stopped().await;
            },
            GRACE,
        ))
    });
    let finished = server.run(stop(signals, &app), GRACE).await;

    stopping.send_replace(true);
    // The tasks end at once. If one panicked, the panic is in the log.
    let _ = tokio::join!(purge, clock_watch, follower);
    if let Some(keys) = keys {
        let _ = keys.await;
    }
    if let Some(health) = health {
        let _ = health.await;
    }
    if let Some(delivery) = delivery
        && tokio::time::timeout(DELIVERY_GRACE, delivery).await.is_err()
    {
        tracing::warn!(
            "letters were being sent at the stop; another server sends them again when their lease has ended"
        );
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

pub(super) async fn listen<A: Application + 'static>(
    address: SocketAddr,
    setting: &str,
    application: A,
) -> Result<Server<A>, BoxError> {
    let bound = Server::bind(address, application).await;
    bound.map_err(|error| format!("cannot listen on {address} ({setting}): {error}").into())
}

/// Waits for a signal to stop, logs it, and answers the followers that wait for news.
async fn stop(signals: &Signals, app: &App) {
    let signal = signals.stopped().await;
    tracing::info!(%signal, "stopping; requests under way may finish");
    app.end_waits();
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_systemd_unit_and_the_compose_file_wait_until_the_server_has_ended() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (file, key) in [("deploy/auth-server.service", "TimeoutStopSec="), ("compose.yaml", "stop_grace_period: ")]
        {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            let (_, value) = text.split_once(key).unwrap();
            let seconds: u64 = value.split_once('s').unwrap().0.parse().unwrap();
            assert!(seconds > STOP_TIMEOUT.as_secs(), "{file} kills after {seconds} s");
        }
    }
}
