//! Starting: the parts are made from the settings and put together.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::letters::{Delivery, LetterOptions};
use auth_core::personal::PersonalTokenOptions;
use auth_core::purge::Purge;
use auth_core::service::BuildError;
use auth_core::{
    AttemptStore, AuthService, AuthServiceBuilder, ClientStore, Clock, Mailer, PersonalTokenStore, RevocationLog,
    SessionOptions, SessionStore, Throttle, UserStore,
};
use auth_migrations::Migrations;
use auth_storage::{
    Database, SeaAttemptStore, SeaClientStore, SeaOneTimeTokenStore, SeaOutbox, SeaPersonalTokenStore,
    SeaRevocationLog, SeaSessionStore, SeaUserStore, Tables, connect,
};
use tokio::runtime::Handle;

use crate::builder::{RevocableAuthBuilder, Source};
use crate::error::StartError;
use crate::keys::CodecSettings;
use crate::running::RevocableAuth;
use crate::tasks::{Tasks, Upgrades};

/// Shortest interval at which the log of revocations may be read. Shorter ones only burden the database.
const MIN_POLL: Duration = Duration::from_millis(10);

impl RevocableAuthBuilder {
    /// Opens the database, makes the tables if they are missing, starts hashing threads and background tasks, and reads the
    /// first page of the log of revocations.
    ///
    /// The background tasks run on the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// When a setting is missing or cannot be used, or when the database or the operating system fails. Nothing is left
    /// running then.
    pub async fn start(self) -> Result<RevocableAuth, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        self.check_intervals()?;
        let token_life = self.token_life.max(self.session_options.access_life);
        let (key, issuer, audience, verifying) = (self.key, self.issuer, self.audience, self.verifying);
        let codec = CodecSettings { key, issuer, audience, verifying, poll: self.poll, token_life };
        codec.check()?;
        if self.users.is_some() && self.revocations.is_none() {
            let help = "a store of users of your own needs the log that knows it";
            return Err(StartError::Missing { field: "revocations", help });
        }
        let passwords = self.hashing.start(&self.clock)?;
        let throttle_limits = self.throttle;

        let (database, owns_database) = match self.database {
            Some(Source::Url(url)) => (Some(connect(&url, self.connect_options).await?), true),
            Some(Source::Opened(database)) => (Some(database), false),
            None => (None, false),
        };
        let database = match database {
            Some(database) => Some(with_tables(database, &self.migrations, self.migrate).await?),
            None => None,
        };
        let codec = codec.codec(database.as_ref(), &self.clock).await?;
        let letters = match self.letters {
            Some((mailer, options)) => Some(Letters::new(mailer, options, database.as_ref(), &self.clock)?),
            None => None,
        };
        let stores = Stores::new(
            self.users,
            self.revocations,
            self.attempts,
            self.sessions,
            self.personal_tokens,
            self.clients,
            database.as_ref(),
        )?;

        let throttle = match throttle_limits {
            Some(limits) => {
                let throttle = Throttle::new(Arc::clone(&stores.attempts), &limits, Arc::clone(&self.clock));
                Some(Arc::new(throttle.map_err(|error| StartError::invalid("throttle", error))?))
            }
            None => None,
        };
        let options = SyncOptions { max_staleness: self.max_staleness, ..SyncOptions::default() };
        let log = Arc::clone(&stores.revocations);
        let blacklist = Arc::new(SyncedBlacklist::new(log, Arc::clone(&self.clock), options));
        let upgrades = Upgrades::new(runtime);
        let background = upgrades.clone();
        let builder = AuthService::builder()
            .users(Arc::clone(&stores.users))
            .blacklist(blacklist.clone())
            .codec(codec.codec)
            .passwords(passwords)
            .policy(self.policy)
            .token_life(self.token_life)
            .user_scopes(self.user_scopes)
            .background(move |task| background.spawn(task))
            .clock(Arc::clone(&self.clock));
        let builder = match &throttle {
            Some(throttle) => builder.throttle(Arc::clone(throttle)),
            None => builder,
        };
        let builder = stores.given_to(builder, self.session_options);
        let builder = match self.claims_source {
            Some(source) => builder.claims_source(source),
            None => builder,
        };
        let builder = match &letters {
            Some(letters) => builder.letters(letters.tokens.clone(), letters.outbox.clone(), letters.options),
            None => builder,
        };
        let service = builder.build().map_err(|error| StartError::invalid(field_of(&error), error))?;

        if let Err(error) = blacklist.sync_step().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log of revocations cannot be read yet");
        }
        let mut tasks = Tasks::new(upgrades);
        if let Some(keys) = &codec.keys {
            tasks.follow_keys(Arc::clone(keys));
        }
        tasks.follow(Arc::clone(&blacklist), self.poll);
        let purge = Purge::new(self.clock).revocations(stores.revocations).attempts(stores.attempts);
        let purge = match stores.sessions {
            Some(sessions) => purge.sessions(sessions),
            None => purge,
        };
        let purge = match stores.personal_tokens {
            Some(tokens) => purge.personal_tokens(tokens),
            None => purge,
        };
        let purge = match letters {
            Some(letters) => {
                tasks.deliver(letters.delivery);
                purge.one_time_tokens(letters.tokens)
            }
            None => purge,
        };
        tasks.purge(purge.interval(self.purge_interval));
        Ok(RevocableAuth { service, blacklist, throttle, keys: codec.keys, database, owns_database, tasks })
    }

    fn check_intervals(&self) -> Result<(), StartError> {
        if self.poll < MIN_POLL {
            return Err(StartError::invalid("poll", "must be at least 10 ms"));
        }
        if !self.max_staleness.is_zero() && self.max_staleness < self.poll.saturating_mul(2) {
            return Err(StartError::invalid("max_staleness", "must be zero or at least twice the poll interval"));
        }
        if self.purge_interval.is_zero() {
            return Err(StartError::invalid("purge_interval", "must not be zero"));
        }
        Ok(())
    }
}

/// The stores of letters, and the worker that sends them.
struct Letters {
    tokens: Arc<SeaOneTimeTokenStore>,
    outbox: Arc<SeaOutbox>,
    options: LetterOptions,
    delivery: Delivery,
}

impl Letters {
    fn new(
        mailer: Arc<dyn Mailer>,
        options: LetterOptions,
        database: Option<&Database>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let help = "letters wait in a database; give a database_url or a database";
        let database = database.ok_or(StartError::Missing { field: "database_url", help })?;
        let outbox = Arc::new(SeaOutbox::new(database.clone()));
        let delivery = Delivery::new(outbox.clone(), mailer, Arc::clone(clock));
        Ok(Self { tokens: Arc::new(SeaOneTimeTokenStore::new(database.clone())), outbox, options, delivery })
    }
}

/// The stores.
struct Stores {
    users: Arc<dyn UserStore>,
    revocations: Arc<dyn RevocationLog>,
    attempts: Arc<dyn AttemptStore>,
    sessions: Option<Arc<dyn SessionStore>>,
    personal_tokens: Option<Arc<dyn PersonalTokenStore>>,
    clients: Option<Arc<dyn ClientStore>>,
}

impl Stores {
    /// Gives the builder the stores that an application may do without.
    fn given_to(&self, builder: AuthServiceBuilder, sessions: SessionOptions) -> AuthServiceBuilder {
        let builder = match &self.sessions {
            Some(store) => builder.sessions(Arc::clone(store), sessions),
            None => builder,
        };
        let builder = match &self.personal_tokens {
            Some(store) => builder.personal_tokens(Arc::clone(store), PersonalTokenOptions::default().memory),
            None => builder,
        };
        match &self.clients {
            Some(store) => builder.clients(Arc::clone(store)),
            None => builder,
        }
    }

    /// Takes the stores that were given, and the tables of the database for the others.
    fn new(
        users: Option<Arc<dyn UserStore>>,
        revocations: Option<Arc<dyn RevocationLog>>,
        attempts: Option<Arc<dyn AttemptStore>>,
        sessions: Option<Arc<dyn SessionStore>>,
        personal_tokens: Option<Arc<dyn PersonalTokenStore>>,
        clients: Option<Arc<dyn ClientStore>>,
        database: Option<&Database>,
    ) -> Result<Self, StartError> {
        let database = || {
            let help = "give a database_url or a database, or a store of each kind";
            database.cloned().ok_or(StartError::Missing { field: "database_url", help })
        };
        // The tables of sessions, personal tokens and clients belong to the log in the database.
        let sessions = match (sessions, &revocations) {
            (Some(sessions), _) => Some(sessions),
            (None, None) => Some(Arc::new(SeaSessionStore::new(database()?)) as Arc<dyn SessionStore>),
            (None, Some(_)) => None,
        };
        let personal_tokens = match (personal_tokens, &revocations) {
            (Some(tokens), _) => Some(tokens),
            (None, None) => Some(Arc::new(SeaPersonalTokenStore::new(database()?)) as Arc<dyn PersonalTokenStore>),
            (None, Some(_)) => None,
        };
        let clients = match (clients, &revocations) {
            (Some(clients), _) => Some(clients),
            (None, None) => Some(Arc::new(SeaClientStore::new(database()?)) as Arc<dyn ClientStore>),
            (None, Some(_)) => None,
        };
        Ok(Self {
            sessions,
            personal_tokens,
            clients,
            users: match users {
                Some(users) => users,
                None => Arc::new(SeaUserStore::new(database()?)),
            },
            revocations: match revocations {
                Some(log) => log,
                None => Arc::new(SeaRevocationLog::new(database()?)),
            },
            attempts: match attempts {
                Some(attempts) => attempts,
                None => Arc::new(SeaAttemptStore::new(database()?)),
            },
        })
    }
}

/// Finds the tables, and makes or checks them.
async fn with_tables(database: Database, migrations: &Migrations, migrate: bool) -> Result<Database, StartError> {
    let layout = if migrate {
        migrations.up(database.connection()).await?
    } else {
        let (statements, wanted) = (database.statements(), migrations.clone());
        let found = database.run(async move {
            let layout = wanted.layout(&statements).await?;
            Ok::<_, StartError>(if wanted.is_current(&statements).await? { Some(layout) } else { None })
        });
        found.await??.ok_or(StartError::NotMigrated)?
    };
    Ok(database.with_tables(Tables::new(layout.prefix(), layout.schema())))
}

/// Returns the builder's method that an error of the service is about.
fn field_of(error: &BuildError) -> &'static str {
    match error {
        BuildError::TokenLife => "token_life",
        BuildError::DummyHash(_) => "hasher",
        BuildError::Sessions(_) => "session_options",
        BuildError::Letters(_) => "letters",
        BuildError::Missing(part) => part,
        _ => "service",
    }
}
