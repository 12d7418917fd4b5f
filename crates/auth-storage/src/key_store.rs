//! The store of the keys that sign tokens.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::keys::{KeySet, KeyStore, ManagedKey};
use auth_core::{Revocation, StoreError, StoreErrorKind};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ColumnTrait as _, ConnectionTrait, FromQueryResult, JoinType, QueryFilter as _, QueryResult};
use time::OffsetDateTime;

use crate::connect::{Database, WriteTransaction};
use crate::entity::{signing_keys, signing_keys_head};
use crate::error::AttemptError;
use crate::instant;
use crate::revocation_log::LogWriter;
use crate::tables::{self, Tables};

/// Keys in a SQL database. Its contract is that of [`KeyStore`].
///
/// Every change first updates the one row of `signing_keys_head`, and the lock on that row is held until the commit.
#[derive(Debug, Clone)]
pub struct SeaKeyStore {
    database: Database,
}

/// The version of the set, and the columns of a key, if there is one.
#[derive(FromQueryResult)]
struct Version {
    version: i64,
    kid: Option<String>,
}

impl SeaKeyStore {
    /// Returns the store of the keys in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    async fn replace_once(&self, set: &KeySet) -> Result<bool, AttemptError> {
        let tables = self.database.tables();
        let version = i64::try_from(set.version).map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        let rows = set.keys.iter().map(signing_keys::row_of).collect::<Result<Vec<_>, _>>()?;
        let transaction = self.database.begin().await?;
        let outcome = async {
            if !move_version(&transaction, tables, 1, Some(version)).await? {
                return Ok(false);
            }
            tables.delete_many::<signing_keys::Entity>().exec(&transaction).await?;
            if !rows.is_empty() {
                let insertion = tables.insert_many::<signing_keys::Entity>(rows);
                insertion.exec_without_returning(&transaction).await?;
            }
            Ok(true)
        };
        let outcome = outcome.await;
        self.database.end(transaction, outcome).await
    }

    async fn revoke_once(
        &self,
        kid: &str,
        at: OffsetDateTime,
        replacement: Option<&ManagedKey>,
    ) -> Result<Option<Revocation>, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = revoke_within(&transaction, self.database.tables(), kid, at, replacement).await;
        self.database.end(transaction, outcome).await
    }
}

#[async_trait]
impl KeyStore for SeaKeyStore {
    /// One statement, so one view of the database.
    async fn load(&self) -> Result<KeySet, StoreError> {
        let (query, connection) = (load_query(self.database.tables()), self.database.statements());
        let rows = self.database.read(async move { Ok(connection.query_all(&query).await?) }).await?;
        let versions = rows.iter().map(version_of).collect::<Result<Vec<_>, _>>()?;
        let first = versions.first().ok_or_else(|| StoreError::corrupt(HeadIsMissing))?;
        let version = u64::try_from(first.version).map_err(StoreError::corrupt)?;
        let of_keys = rows.iter().zip(&versions).filter(|(_, version)| version.kid.is_some());
        let keys = of_keys.map(|(row, _)| {
            signing_keys::Model::from_query_result(row, "").map_err(|error| AttemptError::from(error).into())
        });
        let keys = keys.map(|row: Result<_, StoreError>| row.and_then(signing_keys::Model::into_key));
        let mut keys = keys.collect::<Result<Vec<ManagedKey>, _>>()?;
        // By bytes: databases order text by collations of their own.
        keys.sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
        Ok(KeySet { version, keys })
    }

    async fn replace(&self, set: &KeySet) -> Result<bool, StoreError> {
        let (store, set) = (self.clone(), Arc::new(set.clone()));
        self.database
            .write(move |_| {
                let (store, set) = (store.clone(), Arc::clone(&set));
                async move { store.replace_once(&set).await }
            })
            .await
    }

    async fn revoke(
        &self,
        kid: &str,
        at: OffsetDateTime,
        replacement: Option<ManagedKey>,
    ) -> Result<Option<Revocation>, StoreError> {
        let (store, kid, replacement) = (self.clone(), Arc::<str>::from(kid), replacement.map(Arc::new));
        self.database
            .write(move |_| {
                let (store, kid, replacement) = (store.clone(), Arc::clone(&kid), replacement.clone());
                async move { store.revoke_once(&kid, at, replacement.as_deref()).await }
            })
            .await
    }
}

async fn revoke_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    kid: &str,
    at: OffsetDateTime,
    replacement: Option<&ManagedKey>,
) -> Result<Option<Revocation>, AttemptError> {
    let log = LogWriter::lock(transaction, tables, 1).await?;
    move_version(transaction, tables, 1, None).await?;
    let revoking = tables
        .update_many::<signing_keys::Entity>()
        .col_expr(signing_keys::Column::RevokedAt, Expr::value(instant::to_micros(at)?))
        .filter(signing_keys::Column::Kid.eq(kid))
        .filter(signing_keys::Column::RevokedAt.is_null());
    if revoking.exec(transaction).await?.rows_affected == 0 {
        // Nothing changes, so the version does not either.
        move_version(transaction, tables, -1, None).await?;
    } else if let Some(replacement) = replacement {
        let insertion = tables.insert_many::<signing_keys::Entity>([signing_keys::row_of(replacement)?]);
        insertion.exec_without_returning(transaction).await?;
    }
    let row = tables.find::<signing_keys::Entity>().filter(signing_keys::Column::Kid.eq(kid));
    let key = tables::unique(row, transaction).await?.map(signing_keys::Model::into_key).transpose()?;
    let entry = key.and_then(|key| key.revoked_at).map(|first| Revocation::of_key(kid, first));
    // Also of a key that was revoked before: an entry that is returned is in the log. The log appends no entry twice.
    log.append(entry.as_slice()).await?;
    Ok(entry)
}

/// Moves the version of the set, if it is `from` or that is `None`. Returns whether it did. The set is locked from then on.
async fn move_version(
    transaction: &WriteTransaction,
    tables: &Tables,
    by: i64,
    from: Option<i64>,
) -> Result<bool, AttemptError> {
    use signing_keys_head::Column;
    let moving = tables
        .update_many::<signing_keys_head::Entity>()
        .col_expr(Column::Version, Expr::col(Column::Version).add(by))
        .filter(Column::Id.eq(signing_keys_head::ID));
    let moving = from.into_iter().fold(moving, |moving, from| moving.filter(Column::Version.eq(from)));
    match (moving.exec(transaction).await?.rows_affected, from) {
        (1, _) => Ok(true),
        (_, Some(_)) => Ok(false),
        (_, None) => Err(StoreError::corrupt(HeadIsMissing).into()),
    }
}

/// Returns the query for the version and all keys. Without keys it has one row, whose columns of a key are null.
fn load_query(tables: &Tables) -> SelectStatement {
    use signing_keys::Column;
    Query::select()
        .column(signing_keys_head::Column::Version)
        .columns([
            Column::Kid,
            Column::Algorithm,
            Column::Sealed,
            Column::PublicJwk,
            Column::PublishedAt,
            Column::SignsFrom,
            Column::SignsUntil,
            Column::VerifiesUntil,
            Column::RevokedAt,
        ])
        .from(tables.of::<signing_keys_head::Entity>())
        .join(JoinType::LeftJoin, tables.of::<signing_keys::Entity>(), Expr::val(1).eq(1))
        .and_where(Expr::col(signing_keys_head::Column::Id).eq(signing_keys_head::ID))
        .take()
}

fn version_of(row: &QueryResult) -> Result<Version, StoreError> {
    Version::from_query_result(row, "").map_err(|error| AttemptError::from(error).into())
}

#[derive(Debug, thiserror::Error)]
#[error("the table signing_keys_head has no row")]
struct HeadIsMissing;
