//! The composition root: builds every part from the configuration and connects them.

mod error;
mod mailer;
mod parts;
mod stores;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::LogObserver;
use auth_core::purge::Purge;
use auth_core::{
    AttemptStore, AuthService, Clock, Mailer, OneTimeTokenStore, Outbox, PersonalTokenStore, RevocationLog,
    SessionStore, StoreError,
};
use auth_http::{CookieAuth, SessionCookie};
use auth_jwt::ManagedKeys;
use auth_migrations::{MigrateError, Migrations};
use auth_storage::{
    ConnectOptions, Database, SeaAttemptStore, SeaClientStore, SeaKeyStore, SeaOneTimeTokenStore, SeaOutbox,
    SeaPersonalTokenStore, SeaRevocationLog, SeaSessionStore, SeaUserStore, Tables,
};

pub use self::error::AppError;
pub(crate) use self::mailer::mailer;
use self::parts::{codec, feed, password_policy, password_pool, password_schemes, throttle, with_letters};
pub use self::stores::ServerStores;
use crate::api::{Routes, WellKnown};
use crate::config::{Config, Profile};
use crate::http::state::State;
use crate::metrics::Metrics;
use crate::readiness::{
    BlacklistIsFresh, DatabaseAnswers, DatabaseTakesWrites, KeysAreUsable, LogIsWhole, Readiness, ReadinessCheck,
    SchemaIsCurrent, is_migrated,
};
use crate::secret_file;
use crate::server::{Application, Connections};
use crate::tasks::{ClockWatch, DeliveryTask, KeyFollower, LogFollower, PurgeTask};
use crate::verify_fast_path::VerifyFastPath;

/// A server that is built and does not listen yet.
pub struct App {
    state: Arc<State>,
    log: Arc<dyn RevocationLog>,
    sessions: Arc<dyn SessionStore>,
    personal_tokens: Arc<dyn PersonalTokenStore>,
    attempts: Arc<dyn AttemptStore>,
    one_time_tokens: Arc<dyn OneTimeTokenStore>,
    outbox: Arc<dyn Outbox>,
    /// The mailer. `None` if no letters are sent.
    mailer: Option<Arc<dyn Mailer>>,
    blacklist_poll: Duration,
    clock: Arc<dyn Clock>,
    /// The database, and the migrations of the tables that were found in it.
    opened: Option<(Database, Migrations)>,
    trusted_proxies: Vec<ipnet::IpNet>,
    docs: bool,
    well_known: Arc<WellKnown>,
}

impl App {
    /// Builds a server over the database of `config`, which is migrated first if `config` asks for that.
    ///
    /// # Errors
    ///
    /// The database cannot be used, the secret cannot be read, or a thread cannot be started.
    pub async fn build(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let (database, migrations) = open_tables(config, config.migrate).await?;
        let stores = ServerStores {
            users: Arc::new(SeaUserStore::new(database.clone())),
            log: Arc::new(SeaRevocationLog::new(database.clone())),
            sessions: Arc::new(SeaSessionStore::new(database.clone())),
            personal_tokens: Arc::new(SeaPersonalTokenStore::new(database.clone())),
            clients: Arc::new(SeaClientStore::new(database.clone())),
            keys: Arc::new(SeaKeyStore::new(database.clone())),
            attempts: Arc::new(SeaAttemptStore::new(database.clone())),
            one_time_tokens: Arc::new(SeaOneTimeTokenStore::new(database.clone())),
            outbox: Arc::new(SeaOutbox::new(database.clone())),
        };
        Self::assemble(config, clock, stores, Some((database, migrations)))
    }

    /// Builds a server over existing stores.
    ///
    /// # Errors
    ///
    /// The secret cannot be read or a thread cannot be started.
    pub fn with_stores(config: &Config, clock: Arc<dyn Clock>, stores: ServerStores) -> Result<Self, AppError> {
        Self::assemble(config, clock, stores, None)
    }

    fn assemble(
        config: &Config,
        clock: Arc<dyn Clock>,
        stores: ServerStores,
        opened: Option<(Database, Migrations)>,
    ) -> Result<Self, AppError> {
        let ServerStores { users, log, sessions, personal_tokens, clients, keys, attempts, one_time_tokens, outbox } =
            stores;
        let options = SyncOptions { max_staleness: config.blacklist_max_staleness, ..SyncOptions::default() };
        let blacklist = SyncedBlacklist::new(Arc::clone(&log), Arc::clone(&clock), options);
        let feed = feed(config, &clock)?;
        let blacklist = Arc::new(match &feed {
            Some(feed) => blacklist.observed_by(Arc::clone(feed) as Arc<dyn LogObserver>),
            None => blacklist,
        });
        let mut checks = opened.as_ref().map_or_else(Vec::new, |opened| checks(opened, &blacklist));
        checks.push(Box::new(LogIsWhole {
            blacklist: Arc::clone(&blacklist),
            clock: Arc::clone(&clock),
            token_life: config.longest_token_life(),
        }));
        let codec = codec(config, keys, &clock)?;
        checks.extend(codec.managed().cloned().map(|keys| Box::new(KeysAreUsable(keys)) as Box<dyn ReadinessCheck>));
        let readiness = Readiness::new(checks);
        let schemes = Arc::new(password_schemes(&config.passwords)?);
        let passwords = password_pool(config, &schemes, &clock)?;
        let throttle = throttle(config, &attempts, &clock)?;
        let service = AuthService::builder()
            .users(users)
            .blacklist(blacklist.clone())
            .codec(codec.token_codec())
            .passwords(passwords.clone())
            .policy(password_policy(config))
            .background(|task| drop(tokio::spawn(task)))
            .clock(Arc::clone(&clock))
            .token_life(config.token_ttl)
            .sessions(Arc::clone(&sessions), config.sessions)
            .personal_tokens(Arc::clone(&personal_tokens), config.personal_token_cache)
            .user_scopes(config.user_scopes.clone())
            .clients(clients)
            .client_token_life(config.client_token_ttl);
        let service = throttle.iter().fold(service, |service, throttle| service.throttle(Arc::clone(throttle)));
        let mailer: Option<Arc<dyn Mailer>> = match &config.mail {
            Some(settings) => Some(mailer(settings)?),
            None => None,
        };
        let service = match &mailer {
            Some(_) => with_letters(service, config, &one_time_tokens, &outbox),
            None => service,
        };
        let service = service.build()?;
        let metrics = Metrics::new().map_err(|error| AppError::Internal(error.into()))?;
        metrics.watch_passwords(passwords, schemes).map_err(|error| AppError::Internal(error.into()))?;
        if let Some(keys) = codec.managed() {
            metrics.watch_keys(Arc::clone(keys)).map_err(|error| AppError::Internal(error.into()))?;
        }
        let checks_in_memory = !config.blacklist_max_staleness.is_zero();
        let well_known = Arc::new(WellKnown::new(config, codec.has_public_keys()));
        let state = State {
            service,
            metrics,
            cookies: CookieAuth::new(session_cookie(config.profile), config.cors_origins.clone()),
            languages: config.languages.clone(),
            throttle,
            issuer: config.token_issuer.clone(),
            audience: config.token_audience.clone(),
            codec,
            blacklist,
            feed,
            checks_in_memory,
            database: opened.as_ref().map(|(database, _)| database.clone()),
            readiness,
            clock_offset: Arc::default(),
        };
        Ok(Self {
            state: Arc::new(state),
            log,
            sessions,
            personal_tokens,
            attempts,
            one_time_tokens,
            outbox,
            mailer,
            blacklist_poll: config.blacklist_poll,
            clock,
            opened,
            trusted_proxies: config.trusted_proxies.clone(),
            docs: config.docs,
            well_known,
        })
    }

    /// Returns the endpoint with all routes.
    #[must_use]
    pub fn endpoint(&self) -> impl Application + use<> {
        VerifyFastPath::before(self.routes().endpoint(), Arc::clone(&self.state))
    }

    /// Returns the endpoint of a listener for health checks alone: `/livez`, `/readyz` and `/metrics`.
    #[must_use]
    pub fn health_endpoint(&self) -> impl Application + use<> {
        self.routes().health_endpoint()
    }

    fn routes(&self) -> Routes {
        Routes {
            state: Arc::clone(&self.state),
            clock: Arc::clone(&self.clock),
            trusted_proxies: self.trusted_proxies.clone(),
            docs: self.docs,
            pages: self.mailer.is_some(),
            well_known: Arc::clone(&self.well_known),
        }
    }

    /// Adds the number of clients' connections to the metrics.
    pub(crate) fn watch_connections(&self, connections: Arc<Connections>) -> Result<(), AppError> {
        let watched = self.state.metrics.watch_connections(connections);
        watched.map_err(|error| AppError::Internal(error.into()))
    }

    /// Returns the service, for use without HTTP.
    #[must_use]
    pub fn service(&self) -> &AuthService {
        &self.state.service
    }

    /// Returns the letters that wait to be sent, for use without HTTP.
    #[must_use]
    pub fn outbox(&self) -> &Arc<dyn Outbox> {
        &self.outbox
    }

    /// Reads the log of revocations to its end, for use without the task that follows it.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn read_log(&self) -> Result<(), StoreError> {
        while !self.state.blacklist.sync_step().await?.complete {}
        Ok(())
    }

    /// Returns whether the database has every table that this server needs.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn is_migrated(&self) -> Result<bool, AppError> {
        match &self.opened {
            Some((database, migrations)) => {
                is_migrated(database, migrations).await.map_err(|error| match error.downcast::<MigrateError>() {
                    Ok(error) => AppError::from(*error),
                    Err(error) => AppError::Schema(error),
                })
            }
            None => Ok(true),
        }
    }

    /// Returns the task that removes expired entries of the blacklist, old counters of attempts, old sessions, old one-time tokens and
    /// old personal access tokens.
    pub(crate) fn purge(&self) -> PurgeTask {
        let purge = Purge::new(Arc::clone(&self.clock)).sessions(Arc::clone(&self.sessions));
        let purge = purge.one_time_tokens(Arc::clone(&self.one_time_tokens));
        let purge = purge.personal_tokens(Arc::clone(&self.personal_tokens));
        PurgeTask {
            purge: purge.revocations(Arc::clone(&self.log)).attempts(Arc::clone(&self.attempts)),
            metrics: self.state.metrics.clone(),
        }
    }

    /// Returns the task that sends letters, if they are sent.
    pub(crate) fn delivery(&self) -> Option<DeliveryTask> {
        let mailer = self.mailer.as_ref()?;
        Some(DeliveryTask::new(
            Arc::clone(&self.outbox),
            Arc::clone(mailer),
            Arc::clone(&self.clock),
            self.state.metrics.clone(),
        ))
    }

    /// Returns the task that compares this clock with that of the database.
    pub(crate) fn clock_watch(&self) -> ClockWatch {
        ClockWatch::new(
            Arc::clone(&self.log),
            Arc::clone(&self.clock),
            self.state.metrics.clone(),
            Arc::clone(&self.state.clock_offset),
        )
    }

    /// Returns the task that reads the log of revocations into memory.
    pub(crate) fn log_follower(&self) -> LogFollower {
        LogFollower::new(Arc::clone(&self.state.blacklist), self.blacklist_poll)
    }

    /// Answers the followers that wait for news, because the server stops.
    pub fn end_waits(&self) {
        if let Some(feed) = &self.state.feed {
            feed.end_waits();
        }
    }

    /// Returns the task that follows the managed keys, if the keys are managed.
    pub(crate) fn key_follower(&self) -> Option<KeyFollower> {
        self.keys().cloned().map(KeyFollower::new)
    }

    /// Returns the managed keys, for use without HTTP, if the keys are managed.
    #[must_use]
    pub fn keys(&self) -> Option<&Arc<ManagedKeys>> {
        self.state.codec.managed()
    }

    /// Closes the database after the statements that are under way.
    pub async fn close(&self) {
        if let Some((database, _)) = &self.opened
            && let Err(error) = database.close().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database was not closed in order");
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("service", &self.state.service).finish_non_exhaustive()
    }
}

/// Opens the database of `config`, after creating the folder of the development database if it is absent.
///
/// # Errors
///
/// The folder cannot be created or the database cannot be opened.
pub async fn open_database(config: &Config) -> Result<Database, AppError> {
    if config.needs_data_dir() {
        secret_file::create_data_dir(&config.data_dir)
            .map_err(|error| AppError::DataDir(config.data_dir.display().to_string(), error))?;
    }
    Ok(auth_storage::connect_to(&config.database_url, ConnectOptions::default()).await?)
}

/// Returns the readiness checks of a server with a database, in the order in which they run.
fn checks(
    (database, migrations): &(Database, Migrations),
    blacklist: &Arc<SyncedBlacklist>,
) -> Vec<Box<dyn ReadinessCheck>> {
    vec![
        Box::new(DatabaseAnswers(database.clone())),
        Box::new(SchemaIsCurrent(database.clone(), migrations.clone())),
        Box::new(DatabaseTakesWrites(database.clone())),
        Box::new(BlacklistIsFresh(Arc::clone(blacklist))),
    ]
}

/// Opens the database of `config` and finds its tables, or creates them if `migrate` is set. The returned migrations stay with the
/// tables that were found, even if others appear in the database later.
pub(crate) async fn open_tables(config: &Config, migrate: bool) -> Result<(Database, Migrations), AppError> {
    let database = open_database(config).await?;
    let layout = if migrate {
        config.tables.up(database.connection()).await?
    } else {
        config.tables.layout(&database.statements()).await?
    };
    let tables = Tables::new(layout.prefix(), layout.schema());
    Ok((database.with_tables(tables), Migrations::from(layout)))
}

/// Returns the cookie of browsers. In development the server is used over plain HTTP, where a browser keeps no secure cookie.
fn session_cookie(profile: Profile) -> SessionCookie {
    match profile {
        Profile::Dev => SessionCookie::Plain,
        Profile::Test | Profile::Prod => SessionCookie::Secure,
    }
}
