//! `auth-server key …`: management of the keys that sign tokens.

mod retire;

use std::io::Write;
use std::sync::Arc;

use auth_core::keys::{KeyState, KeyStore, ManagedKey};
use auth_core::{BoxError, Clock, SystemClock};
use auth_jwt::{ManagedKeys, MasterKeyId};
use auth_migrations::Migrations;
use auth_storage::{Database, SeaKeyStore};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::confirm::{Action, confirm};
use super::listing::{Entry, Format, print};
use super::user::rfc_3339;
use crate::app::open_tables;
use crate::codec::managed_keys;
use crate::config::{Config, MASTER_KEY, SigningSource};
use crate::readiness::is_migrated;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// End every token: revoke every managed key, or put a new secret in place of the one that the server made itself
    ///
    /// For after a backup was restored, which has forgotten every later logout. A key that is configured is not
    /// touched; then this says what to change.
    Retire,
    /// List the managed keys, in the order in which they sign
    List(Format),
    /// Publish a new managed key before its time; it signs when everybody can know it
    Rotate,
    /// Revoke a managed key: every token that it signed ends on every server; shows the key and asks
    ///
    /// If no other key can sign, a new one does so at once. Servers need no restart.
    Revoke(Revoke),
    /// Encrypt the managed keys with `AUTH_MASTER_KEY` that `AUTH_MASTER_KEY_PREVIOUS` encrypted
    Reseal,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The id of the key
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: String,
    /// Do not ask; needed where standard input is not a terminal
    #[arg(long)]
    yes: bool,
}

impl KeyCommand {
    pub(super) async fn run(self, config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
        if let Self::Retire = self
            && let Some(path) = retire::secret_path(&config.signing)?
        {
            return retire::run(path, config, out);
        }
        let (database, migrations) = open_tables(config, false).await?;
        let outcome = self.run_on(config, &database, &migrations, out).await;
        // The database is closed after an error too.
        let closed = database.close().await;
        outcome?;
        Ok(closed?)
    }

    async fn run_on(
        self,
        config: &Config,
        database: &Database,
        migrations: &Migrations,
        out: &mut dyn Write,
    ) -> Result<(), BoxError> {
        if !is_migrated(database, migrations).await? {
            return Err("the database is not migrated; run `auth-server migrate up`".into());
        }
        let store: Arc<dyn KeyStore> = Arc::new(SeaKeyStore::new(database.clone()));
        let keys = || managed(config, Arc::clone(&store));
        match self {
            Self::Retire => {
                let keys = keys()?;
                for listed in listed(&*store).await?.iter().filter(|listed| listed.key.is_needed(listed.now)) {
                    revoke(&keys, &listed.key.kid, out).await?;
                }
            }
            Self::List(format) => print(&listed(&*store).await?, format, out)?,
            Self::Rotate => {
                let key = keys()?.rotate().await?;
                writeln!(out, "published key {}; it signs from {}", key.kid, rfc_3339(key.signs_from))?;
            }
            Self::Revoke(revoke) => revoke.run(&keys()?, &*store, out).await?,
            Self::Reseal => {
                let count = keys()?.reseal().await?;
                writeln!(out, "encrypted {count} keys with {}", MASTER_KEY.variable)?;
            }
        }
        Ok(())
    }
}

impl Revoke {
    async fn run(self, keys: &ManagedKeys, store: &dyn KeyStore, out: &mut dyn Write) -> Result<(), BoxError> {
        let unknown = || format!("there is no key {}", self.kid);
        let listed = listed(store).await?.into_iter().find(|listed| listed.key.kid == self.kid).ok_or_else(unknown)?;
        if listed.key.revoked_at.is_some() {
            return Err(format!("the key {} was revoked before", self.kid).into());
        }
        if !self.yes {
            writeln!(out, "{}", listed.columns().join("\t"))?;
            out.flush()?;
            confirm(Action::Revoke).await?;
        }
        revoke(keys, &self.kid, out).await
    }
}

async fn revoke(keys: &ManagedKeys, kid: &str, out: &mut dyn Write) -> Result<(), BoxError> {
    keys.revoke(kid).await?.ok_or_else(|| format!("there is no key {kid}"))?;
    writeln!(out, "revoked key {kid}; every token that it signed ends")?;
    Ok(())
}

/// Returns the managed keys of the configuration.
fn managed(config: &Config, store: Arc<dyn KeyStore>) -> Result<ManagedKeys, BoxError> {
    let SigningSource::Managed(masters) = &config.signing else {
        return Err(format!("the keys are not managed: {} is not set", MASTER_KEY.variable).into());
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(managed_keys(config, masters, store, &clock))
}

/// A key, and the time for which it is listed.
struct ListedKey {
    key: ManagedKey,
    now: OffsetDateTime,
}

async fn listed(store: &dyn KeyStore) -> Result<Vec<ListedKey>, BoxError> {
    let (set, now) = (store.load().await?, SystemClock.now());
    Ok(set.keys.into_iter().map(|key| ListedKey { key, now }).collect())
}

impl ListedKey {
    fn state(&self) -> KeyState {
        self.key.state(self.now)
    }

    /// Returns the id of the master key that encrypted the key.
    fn master_key(&self) -> Option<String> {
        MasterKeyId::of_sealed(&self.key.sealed).map(|id| id.to_string())
    }
}

impl Entry for ListedKey {
    fn columns(&self) -> Vec<String> {
        let shown = |at: Option<OffsetDateTime>| at.map_or_else(|| "-".to_owned(), rfc_3339);
        vec![
            self.key.kid.clone(),
            self.state().as_str().to_owned(),
            self.key.algorithm.to_string(),
            rfc_3339(self.key.published_at),
            rfc_3339(self.key.signs_from),
            shown(self.key.signs_until),
            shown(self.key.verifies_until),
            shown(self.key.revoked_at),
            self.master_key().unwrap_or_else(|| "-".to_owned()),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "kid": self.key.kid,
            "state": self.state().as_str(),
            "algorithm": self.key.algorithm.as_str(),
            "published_at": rfc_3339(self.key.published_at),
            "signs_from": rfc_3339(self.key.signs_from),
            "signs_until": self.key.signs_until.map(rfc_3339),
            "verifies_until": self.key.verifies_until.map(rfc_3339),
            "revoked_at": self.key.revoked_at.map(rfc_3339),
            "master_key": self.master_key(),
        })
    }
}
