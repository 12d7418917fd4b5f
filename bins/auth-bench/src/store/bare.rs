//! The statements of the stores, written by hand on sqlx.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{Mark, RevocationTarget};
use auth_core::{Email, NewUser, Revocation, UserId};
use auth_testing::databases::TestDatabaseKind;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{ConnectOptions as _, Row as _, query, query_as};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Contestant, missing};
use crate::Failure;

const USER: &str =
    "SELECT id, email, username, admin, token_generation, disabled_at, registered_on FROM auth_users WHERE id = $1";
const CREDENTIALS: &str = "SELECT id, email, username, admin, token_generation, disabled_at, registered_on, password_hash \
     FROM auth_users WHERE email_key = $1";
const NEW_USER: &str = "INSERT INTO auth_users (id, email, email_key, username, username_key, password_hash, admin, \
     token_generation, disabled_at, registered_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const MOVE_HEAD: &str = "UPDATE auth_blacklist_head SET position = position + $1 WHERE id = $2";
const HEAD: &str =
    "SELECT id, log_id, position, purged_tokens, purged_users, lost_at FROM auth_blacklist_head WHERE id = $1";
const KNOWN: &str = "SELECT position, token_id, user_id, generation, expires_at, revoked_at, reason, mark FROM auth_blacklist \
     WHERE expires_at = $1 AND token_id = $2";
const ENTRY: &str = "INSERT INTO auth_blacklist (position, token_id, user_id, generation, expires_at, revoked_at, reason, mark) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// The columns of [`USER`].
type UserRow = (Uuid, String, String, bool, i64, Option<i64>, i64);

/// The columns of [`CREDENTIALS`].
type CredentialsRow = (Uuid, String, String, bool, i64, Option<i64>, i64, String);

/// A pool with the settings of the stores, so that the statements are all that differs.
pub(super) async fn connect(kind: TestDatabaseKind, url: &str) -> Result<Arc<dyn Contestant>, Failure> {
    if kind == TestDatabaseKind::Sqlite {
        let options = url.parse::<SqliteConnectOptions>()?.journal_mode(SqliteJournalMode::Wal);
        let options = options.synchronous(SqliteSynchronous::Full).busy_timeout(Duration::from_secs(4));
        let pool = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false);
        let pool = pool.connect_with(options.disable_statement_logging()).await?;
        return Ok(Arc::new(Bare { pool, begin: "BEGIN IMMEDIATE", write_turn: Mutex::default() }));
    }
    let options = url.parse::<PgConnectOptions>()?.disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(10).test_before_acquire(false).connect_with(options).await?;
    Ok(Arc::new(Bare { pool, begin: "BEGIN", write_turn: Mutex::default() }))
}

/// A pool, used directly.
struct Bare<Pool> {
    pool: Pool,
    /// The statement that begins a transaction which writes.
    begin: &'static str,
    write_turn: Mutex<()>,
}

fn micros(at: OffsetDateTime) -> Result<i64, Failure> {
    Ok(i64::try_from(at.unix_timestamp_nanos() / 1_000)?)
}

/// The same code over two types of pool, which share no trait that would spare the bounds on every type of value.
macro_rules! contestant {
    ($pool:ty) => {
        #[async_trait]
        impl Contestant for Bare<$pool> {
            async fn find_by_id(&self, id: UserId) -> Result<(), Failure> {
                let row: Option<UserRow> = query_as(USER).bind(id.as_uuid()).fetch_optional(&self.pool).await?;
                row.map(drop).ok_or_else(missing)
            }

            async fn find_credentials(&self, email: &Email) -> Result<(), Failure> {
                let row: Option<CredentialsRow> =
                    query_as(CREDENTIALS).bind(email.key().to_owned()).fetch_optional(&self.pool).await?;
                row.map(drop).ok_or_else(missing)
            }

            async fn insert(&self, user: NewUser) -> Result<(), Failure> {
                let _turn = self.write_turn.lock().await;
                query(NEW_USER)
                    .bind(user.id.as_uuid())
                    .bind(user.email.as_str().to_owned())
                    .bind(user.email.key().to_owned())
                    .bind(user.username.as_str().to_owned())
                    .bind(user.username.key().to_owned())
                    .bind(user.password_hash.expose_hash().to_owned())
                    .bind(user.admin)
                    .bind(0_i64)
                    .bind(None::<i64>)
                    .bind(micros(user.registered_on)?)
                    .execute(&self.pool)
                    .await?;
                Ok(())
            }

            async fn append(&self, revocation: Revocation) -> Result<(), Failure> {
                let RevocationTarget::Token(token) = revocation.target else { return Err("not a token".into()) };
                let expires_at = micros(revocation.expires_at)?;
                let _turn = self.write_turn.lock().await;
                let mut transaction = self.pool.begin_with(self.begin).await?;
                query(MOVE_HEAD).bind(1_i64).bind(1_i16).execute(&mut *transaction).await?;
                let head = query(HEAD).bind(1_i16).fetch_one(&mut *transaction).await?;
                let position: i64 = head.try_get("position")?;
                let known = query(KNOWN).bind(expires_at).bind(token.as_uuid()).fetch_all(&mut *transaction).await?;
                if !known.is_empty() {
                    return Err("the token is in the log".into());
                }
                query(ENTRY)
                    .bind(position)
                    .bind(Some(token.as_uuid()))
                    .bind(None::<Uuid>)
                    .bind(None::<i64>)
                    .bind(expires_at)
                    .bind(micros(revocation.revoked_at)?)
                    .bind(revocation.reason.as_str())
                    .bind(Mark::generate()?.0.cast_signed())
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(())
            }
        }
    };
}

contestant!(SqlitePool);
contestant!(PgPool);
