//! A service with rate limits, a hasher that records its comparisons, and a clock that the test moves.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_core::{
    AttemptStore, AuthService, Clock, Context, Credentials, Email, HashError, LoginError, ManualClock, NewAccount,
    Password, PasswordHash, PasswordHasher, PasswordPolicy, RegisterError, Throttle, ThrottleLimits, Username, Verdict,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{PasswordPool, PoolOptions};
use time::OffsetDateTime;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const RIGHT: &str = "the right password";

/// Hasher that compares in the clear and records the time of each comparison. These are the guesses that the limits let
/// through.
#[derive(Debug)]
pub(crate) struct OpenHasher {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) wrong: Mutex<Vec<OffsetDateTime>>,
    pub(crate) all: AtomicUsize,
}

impl PasswordHasher for OpenHasher {
    fn max_bytes(&self) -> usize {
        72
    }
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.all.fetch_add(1, Ordering::SeqCst);
        Ok(PasswordHash::new(password.expose_secret().to_owned()))
    }
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        self.all.fetch_add(1, Ordering::SeqCst);
        if password.expose_secret() == hash.expose_hash() {
            return Ok(Verdict::Match);
        }
        self.wrong.lock().unwrap().push(self.clock.now());
        Ok(Verdict::Mismatch)
    }
    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash::new("no password is this".to_owned()))
    }
}

/// Result of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    In,
    Wrong,
    Wait(Duration),
    Overloaded,
    Unavailable,
}

pub(crate) struct ThrottleFixture {
    pub(crate) auth: AuthService,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) hasher: Arc<OpenHasher>,
}

impl ThrottleFixture {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryAttempts::default()))
    }

    pub(crate) fn over(attempts: Arc<dyn AttemptStore>) -> Self {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        let hasher =
            Arc::new(OpenHasher { clock: clock.clone(), wrong: Mutex::default(), all: AtomicUsize::default() });
        let users = Arc::new(MemoryStore::new().unwrap());
        let (auth, throttle) = node(&users, attempts, &clock, &hasher, PoolOptions::default());
        Self { auth, throttle, clock, hasher }
    }

    pub(crate) async fn register(&self, name: &str, from: IpAddr) -> Result<(), RegisterError> {
        let account = NewAccount {
            email: Email::parse(&format!("{name}@example.org")).unwrap(),
            username: Username::parse(name).unwrap(),
            password: Password::parse(RIGHT).unwrap(),
        };
        self.auth.register(account, &Context::default().with_address(from)).await.map(drop)
    }

    pub(crate) async fn login(&self, name: &str, password: &str, from: IpAddr) -> Answer {
        login(&self.auth, name, password, &Context::default().with_address(from)).await
    }

    pub(crate) async fn guess(&self, name: &str, from: IpAddr) -> Answer {
        self.login(name, "a wrong password", from).await
    }

    /// Returns the maximum number of wrong guesses that reached the hasher within one hour.
    pub(crate) fn most_in_an_hour(&self) -> usize {
        let wrong = self.hasher.wrong.lock().unwrap();
        let within = |from: usize| wrong[from..].iter().take_while(|at| **at - wrong[from] <= HOUR).count();
        (0..wrong.len()).map(within).max().unwrap_or(0)
    }

    pub(crate) fn hashes(&self) -> usize {
        self.hasher.all.load(Ordering::SeqCst)
    }
}

pub(crate) fn node(
    users: &Arc<MemoryStore>,
    attempts: Arc<dyn AttemptStore>,
    clock: &Arc<ManualClock>,
    hasher: &Arc<OpenHasher>,
    mut options: PoolOptions,
) -> (AuthService, Arc<Throttle>) {
    let throttle = Arc::new(Throttle::new(attempts, &ThrottleLimits::default(), clock.clone()).unwrap());
    options.clock = clock.clone();
    let auth = AuthService::builder()
        .users(users.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(users.clone())))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
        .passwords(PasswordPool::new(hasher.clone(), options).unwrap())
        .policy(PasswordPolicy::new(6))
        .clock(clock.clone())
        .throttle(throttle.clone())
        .build()
        .unwrap();
    (auth, throttle)
}

pub(crate) async fn login(auth: &AuthService, name: &str, password: &str, context: &Context) -> Answer {
    let credentials = Credentials {
        email: Email::parse(&format!("{name}@example.org")).unwrap(),
        password: Password::parse(password).unwrap(),
    };
    match auth.login(credentials, context).await {
        Ok(_) => Answer::In,
        Err(LoginError::InvalidCredentials) => Answer::Wrong,
        Err(LoginError::TooManyAttempts { retry_after }) => Answer::Wait(retry_after),
        Err(LoginError::Overloaded { .. }) => Answer::Overloaded,
        Err(LoginError::Uncounted(_)) => Answer::Unavailable,
        Err(error) => panic!("{error:?}"),
    }
}

/// Network of the owner.
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

pub(crate) fn elsewhere(number: u16) -> IpAddr {
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + u32::from(number)).into()
}
