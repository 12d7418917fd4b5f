//! A service over a database, with a user who logs in, and sessions in bulk.

use std::sync::Arc;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::{
    AuthService, Clock as _, Context, Credentials, Email, NewAccount, Password, RefreshToken, SessionKind,
    SessionOptions, SignedIn, SystemClock, UserId, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_testing::databases::TestDatabaseKind;

use crate::Failure;
use crate::databases::BenchDatabase;

const EMAIL: &str = "ada@example.org";
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// A service with one user.
pub(super) struct Fixture {
    pub(super) service: AuthService,
    pub(super) blacklist: Arc<SyncedBlacklist>,
    pub(super) user: UserId,
}

impl Fixture {
    /// Returns a service over `database` that hashes passwords at `cost`, with sessions or without. The user is registered
    /// unless an earlier fixture has done so.
    pub(super) async fn over(database: &BenchDatabase, cost: u32, has_sessions: bool) -> Result<Self, Failure> {
        let blacklist =
            Arc::new(SyncedBlacklist::new(database.log.clone(), Arc::new(SystemClock), SyncOptions::default()));
        let mut builder = AuthService::builder()
            .users(database.users.clone())
            .blacklist(blacklist.clone())
            .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32])?, "issuer", "audience")))
            .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(cost)?), PoolOptions::default())?)
            .clock(Arc::new(SystemClock));
        if has_sessions {
            builder = builder.sessions(database.sessions.clone(), SessionOptions::default());
        }
        let service = builder.build()?;
        let email = Email::parse(EMAIL)?;
        let user = if let Some(known) = database.users.find_credentials(&email).await? {
            known.user.id
        } else {
            let account = NewAccount { email, username: Username::parse("ada")?, password: Password::parse(PASSWORD)? };
            service.create_user(account, false).await?.id
        };
        Ok(Self { service, blacklist, user })
    }

    pub(super) async fn login(&self, kind: SessionKind) -> Result<SignedIn, Failure> {
        let credentials = Credentials { email: Email::parse(EMAIL)?, password: Password::parse(PASSWORD)? };
        let outcome = self.service.login(credentials, &Context::default().with_session_kind(kind)).await?;
        outcome.signed_in().ok_or_else(|| "the login needs another factor".into())
    }

    /// Logs in and returns the refresh token.
    pub(super) async fn renewable(&self) -> Result<RefreshToken, Failure> {
        refresh_token(&self.login(SessionKind::Renewable).await?)
    }

    pub(super) async fn refresh(&self, token: &RefreshToken) -> Result<RefreshToken, Failure> {
        refresh_token(&self.service.refresh(token).await?)
    }
}

fn refresh_token(signed_in: &SignedIn) -> Result<RefreshToken, Failure> {
    let refresh = signed_in.refresh.as_ref().ok_or("the session has no refresh token")?;
    Ok(refresh.token.clone())
}

/// Inserts `count` sessions of as many users, which are needed until `days` days from now.
pub(super) async fn fill(database: &BenchDatabase, count: usize, days: i64) -> Result<(), Failure> {
    const COLUMNS: &str =
        "id, user_id, generation, created_at, last_used_at, idle_until, ends_at, access_expires_at, needed_until";
    let now = i64::try_from(SystemClock.now().unix_timestamp_nanos() / 1_000)?;
    let until = now + days * 86_400_000_000;
    let values = format!("0, {now}, {now}, {until}, {until}, {until}, {until}");
    // No more at once than the server lets a statement take time for.
    for begin in (0..count).step_by(50_000) {
        let many = (count - begin).min(50_000);
        let sql = match database.kind {
            TestDatabaseKind::Sqlite => format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
                 INSERT INTO auth_sessions ({COLUMNS}) SELECT randomblob(16), randomblob(16), {values} FROM n"
            ),
            _ => format!(
                "INSERT INTO auth_sessions ({COLUMNS}) SELECT gen_random_uuid(), gen_random_uuid(), {values} \
                 FROM generate_series(1, {many})"
            ),
        };
        database.execute(&sql).await?;
    }
    database.execute("ANALYZE auth_sessions").await
}
