//! A service that sends letters, over stores that record their calls, and a clock that the test moves.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::letters::{LeaseId, LetterKind};
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_core::{
    AuthService, AuthenticateError, Clock as _, Context, Credentials, Email, Letter, LetterOptions, LoginError,
    LoginOutcome, ManualClock, NewAccount, OneTimeProof, Outbox as _, Password, PasswordPolicy, Principal,
    RecoveryError, RegisterError, RegisterOutcome, SessionOptions, SignedIn, Throttle, ThrottleLimits, User,
    UserStore as _, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{PasswordPool, PoolOptions};
use time::OffsetDateTime;

use crate::recording::{Calls, OpenHasher, Recording};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Password of everybody who registers.
pub(crate) const OLD: &str = "the old password";
pub(crate) const NEW: &str = "the new password";

pub(crate) struct Fixture {
    pub(crate) auth: AuthService,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) calls: Calls,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut LetterOptions)) -> Self {
        let mut options = LetterOptions::default();
        change(&mut options);
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        let (store, attempts) = (Arc::new(MemoryStore::new().unwrap()), Arc::new(MemoryAttempts::default()));
        let calls = Calls::default();
        let recording = Arc::new(Recording { inner: store.clone(), calls: calls.clone() });
        let counting = Arc::new(Recording { inner: attempts, calls: calls.clone() });
        let throttle = Arc::new(Throttle::new(counting, &ThrottleLimits::default(), clock.clone()).unwrap());
        let hasher = Arc::new(OpenHasher { calls: calls.clone() });
        let auth = AuthService::builder()
            .users(recording.clone())
            .blacklist(Arc::new(UnsyncedBlacklist::new(store.clone())))
            .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
            .passwords(PasswordPool::new(hasher, PoolOptions::default()).unwrap())
            .policy(PasswordPolicy::new(6))
            .sessions(store.clone(), SessionOptions::default())
            .letters(recording, store.clone(), options)
            .throttle(throttle.clone())
            .clock(clock.clone())
            .build()
            .unwrap();
        Self { auth, store, throttle, clock, calls }
    }

    pub(crate) async fn try_register(&self, name: &str, from: IpAddr) -> Result<RegisterOutcome, RegisterError> {
        let (username, password) = (Username::parse(name).unwrap(), password(OLD));
        self.auth.register(NewAccount { email: email(name), username, password }, &at(from)).await
    }

    /// Registers a user, and leaves the letter in the outbox.
    pub(crate) async fn register(&self, name: &str) -> SignedIn {
        self.try_register(name, HOME).await.unwrap().signed_in().unwrap()
    }

    /// Registers a user whose address is verified.
    pub(crate) async fn register_verified(&self, name: &str) -> SignedIn {
        let signed_in = self.register(name).await;
        let letter = self.letter(LetterKind::VerifyEmail).await;
        self.auth.verify_email(link(&letter), &at(HOME)).await.unwrap();
        signed_in
    }

    pub(crate) async fn try_login(&self, name: &str, text: &str) -> Result<LoginOutcome, LoginError> {
        self.auth.login(Credentials { email: email(name), password: password(text) }, &at(HOME)).await
    }

    pub(crate) async fn may_log_in(&self, name: &str, text: &str) -> bool {
        match self.try_login(name, text).await {
            Ok(_) => true,
            Err(LoginError::InvalidCredentials) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Takes every waiting letter out of the outbox, decoys too.
    pub(crate) async fn take_all(&self) -> Vec<Letter> {
        let (lease, now) = (LeaseId::generate().unwrap(), self.clock.now());
        let leased = self.store.lease(lease, now, now + MINUTE, u32::MAX).await.unwrap().letters;
        for of_lease in &leased {
            assert!(self.store.remove(of_lease.letter.id, lease).await.unwrap());
        }
        let mut letters: Vec<_> = leased.into_iter().map(|of_lease| of_lease.letter).collect();
        letters.sort_by_key(|letter| letter.created_at);
        letters
    }

    /// Takes every waiting letter that is no decoy out of the outbox.
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        self.take_all().await.into_iter().filter(|letter| letter.to.is_some()).collect()
    }

    /// Takes the letters out of the outbox, of which there is one of this kind and no other.
    pub(crate) async fn letter(&self, kind: LetterKind) -> Letter {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{letters:?}");
        let letter = letters.pop().unwrap();
        assert_eq!(letter.kind, kind);
        letter
    }

    pub(crate) async fn principal(&self, signed_in: &SignedIn) -> Principal {
        self.auth.authenticate(signed_in.token.expose_token()).await.unwrap()
    }

    pub(crate) async fn is_revoked(&self, signed_in: &SignedIn) -> bool {
        match self.auth.authenticate(signed_in.token.expose_token()).await {
            Ok(_) => false,
            Err(AuthenticateError::Revoked) => true,
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(crate) async fn user(&self, signed_in: &SignedIn) -> User {
        self.store.find_by_id(signed_in.user.id).await.unwrap().unwrap()
    }

    pub(crate) async fn forgot(&self, name: &str) -> Result<(), RecoveryError> {
        self.auth.forgot_password(&email(name), &at(HOME)).await
    }

    pub(crate) async fn reset(&self, proof: OneTimeProof) -> Result<User, RecoveryError> {
        self.auth.reset_password(proof, password(NEW), &at(HOME)).await
    }

    /// Changes the address of a user to that of `name`, and confirms it. Returns the letter to the former address.
    pub(crate) async fn change_email(&self, signed_in: &SignedIn, name: &str) -> Letter {
        let principal = self.principal(signed_in).await;
        self.auth.change_email(&principal, &email(name), password(OLD), &at(HOME)).await.unwrap();
        let letter = self.letter(LetterKind::ChangeEmail).await;
        self.auth.verify_email(link(&letter), &at(HOME)).await.unwrap();
        self.letter(LetterKind::EmailChanged).await
    }
}

/// Returns the proof that the link of a letter has.
pub(crate) fn link(letter: &Letter) -> OneTimeProof {
    OneTimeProof::Token(letter.secret.as_ref().unwrap().token.clone())
}

/// Returns the proof that a person types who got this letter.
pub(crate) fn typed(letter: &Letter) -> OneTimeProof {
    let code = letter.secret.as_ref().unwrap().code.clone().unwrap();
    OneTimeProof::Code { email: letter.to.clone().unwrap(), code }
}

pub(crate) fn is_invalid<T>(result: &Result<T, RecoveryError>) -> bool {
    matches!(result, Err(RecoveryError::CodeInvalid))
}

pub(crate) fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).unwrap()
}

pub(crate) fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

pub(crate) fn at(address: IpAddr) -> Context {
    Context::default().with_address(address)
}

/// Address of everybody unless a test says otherwise.
pub(crate) const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

pub(crate) fn elsewhere(number: u8) -> IpAddr {
    [203, 0, 113, number].into()
}
