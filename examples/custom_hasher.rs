//! A hasher of your own: each password is keyed with a *pepper*, a secret that is not in the database, before bcrypt sees it.
//! Who steals the table alone cannot even begin to guess. `cargo run -p auth-examples --bin custom_hasher`

use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, Context, Credentials, Email, HashError, NewAccount, Password, PasswordHash, PasswordHasher, Username,
    Verdict,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut pepper = [0; 32]; // Keep yours: without it nobody can log in.
    getrandom::fill(&mut pepper)?;
    let auth = service(Arc::new(MemoryStore::new()?), PepperedHasher::new(pepper, BcryptHasher::new(12)?))?;
    let (email, password) = (Email::parse("ada@example.org")?, Password::parse("correct horse battery staple")?);
    let username = Username::parse("ada")?;
    auth.register(NewAccount { email: email.clone(), username, password: password.clone() }, &Context::default())
        .await?;
    let session = auth
        .login(Credentials { email, password }, &Context::default())
        .await?
        .signed_in()
        .ok_or("another factor is needed")?;
    writeln!(std::io::stdout(), "{} is logged in", session.user.username)?;
    Ok(())
}

pub(crate) fn service(store: Arc<MemoryStore>, hasher: PepperedHasher) -> Result<AuthService, Box<dyn Error>> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(hasher), PoolOptions::default())?)
        .build()?)
}

// readme: custom hasher
pub(crate) struct PepperedHasher {
    pepper: [u8; 32],
    inner: BcryptHasher,
}

impl PasswordHasher for PepperedHasher {
    /// The keyed password is always 43 bytes long, so any password will do.
    fn max_bytes(&self) -> usize {
        usize::MAX
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.inner.hash(&self.keyed(password)?)
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        self.inner.verify(&self.keyed(password)?, hash)
    }

    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        self.inner.dummy_hash()
    }
}
// readme: end

impl PepperedHasher {
    pub(crate) fn new(pepper: [u8; 32], inner: BcryptHasher) -> Self {
        Self { pepper, inner }
    }

    fn keyed(&self, password: &Password) -> Result<Password, HashError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.pepper).map_err(|error| HashError::Failed(error.into()))?;
        mac.update(password.expose_secret().as_bytes());
        let keyed = BASE64_STANDARD_NO_PAD.encode(mac.finalize().into_bytes());
        Password::parse(&keyed).map_err(|error| HashError::Failed(error.into()))
    }
}

impl fmt::Debug for PepperedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PepperedHasher").field("inner", &self.inner).finish_non_exhaustive()
    }
}
