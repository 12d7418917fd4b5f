//! Running the server: start, wait for a signal, stop in order.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{BoxError, SystemClock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::config::Config;
use crate::server::Server;

/// How long requests that are under way may take to finish after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

pub(super) async fn run(config: &Config) -> Result<ExitCode, BoxError> {
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
    let address = server.address();
    tracing::info!(
        %address,
        profile = %config.profile,
        database = %config.database_url,
        docs = if config.docs { format!("http://{address}/docs") } else { "off".to_owned() },
        "listening on http://{address}"
    );

    let stop = StopSignal::install()?;
    let (stopping, stopped) = watch::channel(false);
    let purge = tokio::spawn(app.purge().run(stopped.clone()));
    let sync = tokio::spawn(sync.run(stopped));
    let finished = server.run(stop.wait(), GRACE).await;

    stopping.send_replace(true);
    // They end at once; what they may have panicked with is in the log.
    let _ = tokio::join!(purge, sync);
    app.close().await;
    if finished {
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    } else {
        tracing::warn!(grace_seconds = GRACE.as_secs(), "stopped; some requests did not finish in time");
        Ok(ExitCode::FAILURE)
    }
}

/// SIGTERM or SIGINT, whichever comes first.
struct StopSignal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn install() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(mut self) {
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping; requests under way may finish");
    }
}
