//! A service for the tests of an application.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::service::DEFAULT_TOKEN_LIFE;
use auth_core::{
    AccessToken, AuthService, BoxError, Claims, Clock as _, Email, LEEWAY, ManualClock, NewAccount, Password,
    TokenCodec as _, TokenId, User, Username, random_bytes,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::bcrypt::MIN_COST;
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};

/// The password of every user that [`TestAuth`] makes.
pub const PASSWORD: &str = "a password for tests only";

/// The `iss` of the tokens.
const ISSUER: &str = "https://auth.test";

/// The `aud` of the tokens.
const AUDIENCE: &str = "test";

/// A service for tests, and what it is made of. Its key is random, so no token of it is good anywhere else.
#[derive(Debug)]
pub struct TestAuth {
    service: AuthService,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    codec: Arc<JwtCodec>,
}

impl TestAuth {
    /// A service without users, at noon of the first day of 2027 UTC. Hashing is as cheap as bcrypt allows.
    ///
    /// # Errors
    ///
    /// When the operating system gives no randomness or no thread.
    pub fn new() -> Result<Self, BoxError> {
        let store = Arc::new(MemoryStore::new()?);
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_798_804_800)));
        let codec = Arc::new(random_codec()?);
        let mut options = PoolOptions::default();
        options.threads = NonZeroUsize::MIN;
        let service = AuthService::builder()
            .users(store.clone())
            .blacklist(Arc::new(UnsyncedBlacklist::new(store.clone())))
            .codec(codec.clone())
            .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(MIN_COST)?), options)?)
            .clock(clock.clone())
            .build()?;
        Ok(Self { service, store, clock, codec })
    }

    /// The service, for the application under test.
    #[must_use]
    pub fn service(&self) -> AuthService {
        self.service.clone()
    }

    /// The users and the log of revocations.
    #[must_use]
    pub fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// The clock of the service.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Registers `<name>@example.org` with the username `name` and the password [`PASSWORD`].
    ///
    /// # Errors
    ///
    /// When the name is no username, makes no e-mail address, or is taken.
    pub async fn user(&self, name: &str) -> Result<User, BoxError> {
        self.create(name, false).await
    }

    /// As [`user`](Self::user), an admin.
    ///
    /// # Errors
    ///
    /// As [`user`](Self::user).
    pub async fn admin(&self, name: &str) -> Result<User, BoxError> {
        self.create(name, true).await
    }

    /// A token as a login of the user would give now.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn token(&self, user: &User) -> Result<AccessToken, BoxError> {
        self.codec.encode(&self.claims(user)?)
    }

    /// A token that has expired, by as little as that takes.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn expired_token(&self, user: &User) -> Result<AccessToken, BoxError> {
        let claims = self.claims(user)?;
        let expires_at = claims.issued_at - LEEWAY;
        self.codec.encode(&Claims { issued_at: expires_at - DEFAULT_TOKEN_LIFE, expires_at, ..claims })
    }

    /// A token that was good and was logged out.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub async fn revoked_token(&self, user: &User) -> Result<AccessToken, BoxError> {
        let token = self.token(user)?;
        let principal = self.service.authenticate(token.expose_token()).await?;
        self.service.logout(&principal).await?;
        Ok(token)
    }

    /// A token that says the same as a good one and is signed with a key that the service does not know.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn forged_token(&self, user: &User) -> Result<AccessToken, BoxError> {
        random_codec()?.encode(&self.claims(user)?)
    }

    async fn create(&self, name: &str, admin: bool) -> Result<User, BoxError> {
        let account = NewAccount {
            email: Email::parse(&format!("{name}@example.org"))?,
            username: Username::parse(name)?,
            password: Password::parse(PASSWORD)?,
        };
        Ok(self.service.create_user(account, admin).await?)
    }

    fn claims(&self, user: &User) -> Result<Claims, BoxError> {
        let issued_at = self.clock.now().replace_nanosecond(0)?;
        Ok(Claims {
            user_id: user.id,
            token_id: TokenId::generate()?,
            session_id: None,
            issued_at,
            expires_at: issued_at + DEFAULT_TOKEN_LIFE,
            generation: user.generation,
            admin: user.admin,
            key_id: None,
            grants: None,
        })
    }
}

fn random_codec() -> Result<JwtCodec, BoxError> {
    Ok(JwtCodec::new(SigningKey::from_secret(&random_bytes::<32>()?)?, ISSUER, AUDIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth_core::{AuthenticateError, Context, Credentials};

    #[tokio::test]
    async fn every_kind_of_token_is_what_its_name_says() {
        let auth = TestAuth::new().unwrap();
        let service = auth.service();
        let check = async |token: &AccessToken| service.authenticate(token.expose_token()).await;
        let (ada, root) = (auth.user("ada").await.unwrap(), auth.admin("root").await.unwrap());
        assert!(!check(&auth.token(&ada).unwrap()).await.unwrap().is_admin());
        assert!(check(&auth.token(&root).unwrap()).await.unwrap().is_admin());
        let expired = check(&auth.expired_token(&ada).unwrap()).await;
        assert!(matches!(expired, Err(AuthenticateError::Expired)), "{expired:?}");
        let revoked = check(&auth.revoked_token(&ada).await.unwrap()).await;
        assert!(matches!(revoked, Err(AuthenticateError::Revoked)), "{revoked:?}");
        let forged = check(&auth.forged_token(&ada).unwrap()).await;
        assert!(matches!(forged, Err(AuthenticateError::Invalid)), "{forged:?}");
        let elsewhere = TestAuth::new().unwrap().token(&ada).unwrap();
        assert!(matches!(check(&elsewhere).await, Err(AuthenticateError::Invalid)));
    }

    #[tokio::test]
    async fn users_log_in_with_the_password_for_tests() {
        let auth = TestAuth::new().unwrap();
        let ada = auth.user("ada").await.unwrap();
        let credentials = Credentials { email: ada.email, password: Password::parse(PASSWORD).unwrap() };
        assert_eq!(
            auth.service().login(credentials, &Context::default()).await.unwrap().signed_in().unwrap().user.id,
            ada.id
        );
    }
}
