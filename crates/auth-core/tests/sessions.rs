//! Sessions through the service: opening, refreshing, listing, ending.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, AuthenticateError, Clock as _, Context, Credentials, Email, ManualClock, NewAccount, Password,
    PasswordPolicy, RefreshError, RefreshToken, SessionKind, SessionOptions, SignedIn, UserId, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use time::OffsetDateTime;

const SECRET: &str = "a secret of ada";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Two nodes over one store, with one clock.
struct Fixture {
    near: AuthService,
    far: AuthService,
    far_blacklist: Arc<SyncedBlacklist>,
    clock: Arc<ManualClock>,
    ada: UserId,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(SessionOptions::default()).await
    }

    async fn with(options: SessionOptions) -> Self {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        let store = Arc::new(MemoryStore::new().unwrap());
        let hasher = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
        let node = || {
            let blacklist = Arc::new(SyncedBlacklist::new(store.clone(), clock.clone(), SyncOptions::default()));
            let service = AuthService::builder()
                .users(store.clone())
                .blacklist(blacklist.clone())
                .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
                .passwords(hasher.clone())
                .policy(PasswordPolicy::new(6))
                .sessions(store.clone(), options)
                .clock(clock.clone())
                .build()
                .unwrap();
            (service, blacklist)
        };
        let ((near, _), (far, far_blacklist)) = (node(), node());
        let account = NewAccount {
            email: Email::parse("ada@example.org").unwrap(),
            username: Username::parse("ada").unwrap(),
            password: Password::parse(SECRET).unwrap(),
        };
        let ada = near.create_user(account, false).await.unwrap().id;
        Self { near, far, far_blacklist, clock, ada }
    }

    async fn login(&self, kind: SessionKind) -> SignedIn {
        let credentials =
            Credentials { email: Email::parse("ada@example.org").unwrap(), password: Password::parse(SECRET).unwrap() };
        let context = Context::default()
            .with_address("192.0.2.7".parse().unwrap())
            .with_user_agent("Mozilla/5.0")
            .with_session_kind(kind);
        self.near.login(credentials, &context).await.unwrap().signed_in().unwrap()
    }

    /// The answer of each node to the access token, after the far one has read the log.
    async fn checks(&self, signed_in: &SignedIn) -> [&'static str; 2] {
        while !self.far_blacklist.sync_step().await.unwrap().complete {}
        let mut answers = [""; 2];
        for (answer, node) in answers.iter_mut().zip([&self.near, &self.far]) {
            *answer = match node.authenticate(signed_in.token.expose_token()).await {
                Ok(_) => "good",
                Err(AuthenticateError::Revoked) => "revoked",
                Err(AuthenticateError::Expired) => "expired",
                Err(_) => "other",
            };
        }
        answers
    }

    async fn live(&self) -> usize {
        self.near.list_sessions(self.ada, 100).await.unwrap().len()
    }
}

fn refresh_token(signed_in: &SignedIn) -> RefreshToken {
    signed_in.refresh.as_ref().unwrap().token.clone()
}

fn has_ended(result: &Result<SignedIn, RefreshError>) -> bool {
    matches!(result, Err(RefreshError::Ended))
}

/// Returns whether the refresh was a re-use that ended the session of `first`.
fn is_reuse(result: &Result<SignedIn, RefreshError>, first: &SignedIn) -> bool {
    let session = first.session.as_ref().unwrap();
    matches!(result, Err(RefreshError::Reused { user_id, session_id })
        if (*user_id, *session_id) == (session.user_id, session.id))
}

#[tokio::test]
async fn a_login_opens_a_session_of_the_kind_that_was_asked_for() {
    let fixture = Fixture::new().await;
    let single = fixture.login(SessionKind::Single).await;
    assert!(single.refresh.is_none());
    assert_eq!(single.token.expires_in, DAY);
    let renewable = fixture.login(SessionKind::Renewable).await;
    assert_eq!(renewable.token.expires_in, 15 * MINUTE);
    assert_eq!(renewable.refresh.as_ref().unwrap().expires_in, 30 * DAY);
    for signed_in in [&single, &renewable] {
        let session = signed_in.session.as_ref().unwrap();
        assert_eq!(
            (session.user_agent.as_deref(), session.network.as_deref()),
            (Some("Mozilla/5.0"), Some("192.0.2.7"))
        );
        let principal = fixture.near.authenticate(signed_in.token.expose_token()).await.unwrap();
        assert_eq!(principal.session_id(), Some(session.id));
    }
    assert_eq!(fixture.live().await, 2);
}

#[tokio::test]
async fn logging_out_any_token_of_a_session_ends_all_of_them_and_the_refresh_token() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    let other = fixture.login(SessionKind::Renewable).await;
    let second = fixture.near.refresh(&refresh_token(&first)).await.unwrap();
    fixture.clock.advance(10 * MINUTE);
    let third = fixture.far.refresh(&refresh_token(&second)).await.unwrap();
    let principal = fixture.near.authenticate(second.token.expose_token()).await.unwrap();
    fixture.near.logout(&principal).await.unwrap();
    for token in [&first, &second, &third] {
        assert_eq!(fixture.checks(token).await, ["revoked", "revoked"]);
    }
    assert!(has_ended(&fixture.far.refresh(&refresh_token(&third)).await));
    assert_eq!(fixture.checks(&other).await, ["good", "good"]);
    assert_eq!(fixture.live().await, 1);
}

#[tokio::test]
async fn logging_out_a_single_session_ends_it() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.login(SessionKind::Single).await, fixture.login(SessionKind::Single).await);
    let principal = fixture.far.authenticate(one.token.expose_token()).await.unwrap();
    fixture.far.logout(&principal).await.unwrap();
    assert_eq!(fixture.checks(&one).await[1], "revoked");
    assert_eq!(fixture.checks(&other).await, ["good", "good"]);
    assert_eq!(fixture.live().await, 1);
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_its_retry_within_the_grace_gets_the_same_successor() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    let second = fixture.near.refresh(&refresh_token(&first)).await.unwrap();
    assert_ne!(refresh_token(&second), refresh_token(&first));
    fixture.clock.advance(Duration::from_secs(29));
    let again = fixture.far.refresh(&refresh_token(&first)).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&second));
    assert_eq!(fixture.checks(&again).await, ["good", "good"]);
    let expiry = async |signed_in: &SignedIn| {
        fixture.near.authenticate(signed_in.token.expose_token()).await.unwrap().expires_at()
    };
    assert_eq!(expiry(&again).await, expiry(&second).await, "the store was told of no later expiry");
    assert!(fixture.near.refresh(&refresh_token(&again)).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_after_the_grace_ends_the_session() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    let second = fixture.near.refresh(&refresh_token(&first)).await.unwrap();
    fixture.clock.advance(Duration::from_secs(30));
    assert!(is_reuse(&fixture.far.refresh(&refresh_token(&first)).await, &first));
    assert_eq!(fixture.checks(&second).await, ["revoked", "revoked"]);
    assert!(has_ended(&fixture.near.refresh(&refresh_token(&second)).await));
    assert_eq!(fixture.live().await, 0);
}

#[tokio::test]
async fn a_token_older_than_the_predecessor_ends_the_session_within_the_grace_too() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    let second = fixture.near.refresh(&refresh_token(&first)).await.unwrap();
    let third = fixture.near.refresh(&refresh_token(&second)).await.unwrap();
    assert!(is_reuse(&fixture.near.refresh(&refresh_token(&first)).await, &first));
    assert!(has_ended(&fixture.near.refresh(&refresh_token(&third)).await));
    assert_eq!(fixture.checks(&third).await, ["revoked", "revoked"]);
}

#[tokio::test]
async fn a_guess_that_names_a_session_does_not_end_it() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    let id = first.session.as_ref().unwrap().id;
    let guess = RefreshToken::first(id).unwrap();
    assert!(has_ended(&fixture.near.refresh(&guess).await));
    assert!(fixture.near.refresh(&refresh_token(&first)).await.is_ok());
    let single = fixture.login(SessionKind::Single).await;
    let of_single = RefreshToken::first(single.session.as_ref().unwrap().id).unwrap();
    assert!(has_ended(&fixture.near.refresh(&of_single).await));
    assert_eq!(fixture.checks(&single).await, ["good", "good"]);
}

#[tokio::test]
async fn many_refreshes_of_one_token_at_once_get_one_successor() {
    let fixture = Fixture::new().await;
    let first = refresh_token(&fixture.login(SessionKind::Renewable).await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let node = if number % 2 == 0 { &fixture.near } else { &fixture.far }.clone();
        let token = first.clone();
        tasks.spawn(async move { refresh_token(&node.refresh(&token).await.unwrap()) });
    }
    let successors = tasks.join_all().await;
    assert!(successors.iter().all(|successor| *successor == successors[0]));
    assert!(fixture.near.refresh(&successors[0]).await.is_ok());
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_its_absolute_end() {
    let fixture = Fixture::new().await;
    let idle = fixture.login(SessionKind::Renewable).await;
    fixture.clock.advance(30 * DAY);
    assert!(has_ended(&fixture.near.refresh(&refresh_token(&idle)).await));
    assert_eq!(fixture.live().await, 0);

    let mut used = fixture.login(SessionKind::Renewable).await;
    let ends_at = used.session.as_ref().unwrap().ends_at;
    while fixture.clock.now() + 29 * DAY < ends_at {
        fixture.clock.advance(29 * DAY);
        used = fixture.near.refresh(&refresh_token(&used)).await.unwrap();
    }
    let last_minute = ends_at - MINUTE;
    fixture.clock.advance(Duration::try_from(last_minute - fixture.clock.now()).unwrap());
    used = fixture.near.refresh(&refresh_token(&used)).await.unwrap();
    assert_eq!(used.token.expires_in, MINUTE, "no access token outlives its session");
    fixture.clock.advance(MINUTE);
    assert!(has_ended(&fixture.near.refresh(&refresh_token(&used)).await));
}

#[tokio::test]
async fn whatever_ends_all_tokens_of_a_user_ends_the_sessions() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    fixture.near.logout_everywhere(fixture.ada).await.unwrap();
    assert_eq!(fixture.live().await, 0);
    assert!(has_ended(&fixture.far.refresh(&refresh_token(&first)).await));

    let second = fixture.login(SessionKind::Renewable).await;
    fixture.near.disable(fixture.ada).await.unwrap();
    assert!(has_ended(&fixture.far.refresh(&refresh_token(&second)).await));
    fixture.near.enable(fixture.ada).await.unwrap();
    assert!(has_ended(&fixture.far.refresh(&refresh_token(&second)).await));

    let third = fixture.login(SessionKind::Renewable).await;
    fixture.near.set_password(fixture.ada, Password::parse("another secret").unwrap()).await.unwrap();
    assert!(has_ended(&fixture.far.refresh(&refresh_token(&third)).await));
}

#[tokio::test]
async fn a_user_ends_a_session_of_their_own_and_nobody_elses() {
    let fixture = Fixture::new().await;
    let (here, there) = (fixture.login(SessionKind::Single).await, fixture.login(SessionKind::Renewable).await);
    let id = there.session.as_ref().unwrap().id;
    let stranger = UserId::generate(fixture.clock.now()).unwrap();
    assert!(!fixture.near.end_session_of(stranger, id).await.unwrap());
    assert_eq!(fixture.checks(&there).await, ["good", "good"]);
    assert!(fixture.near.end_session_of(fixture.ada, id).await.unwrap());
    assert_eq!(fixture.checks(&there).await, ["revoked", "revoked"]);
    assert_eq!(fixture.checks(&here).await, ["good", "good"]);
}

#[tokio::test]
async fn ending_all_others_spares_the_session_that_asks() {
    let fixture = Fixture::new().await;
    let mut others = Vec::new();
    for number in 0..130 {
        let kind = if number % 2 == 0 { SessionKind::Single } else { SessionKind::Renewable };
        others.push(fixture.login(kind).await);
    }
    let here = fixture.login(SessionKind::Renewable).await;
    let principal = fixture.near.authenticate(here.token.expose_token()).await.unwrap();
    assert_eq!(fixture.near.end_other_sessions(&principal).await.unwrap(), 130);
    assert_eq!(fixture.live().await, 1);
    assert_eq!(fixture.checks(&here).await, ["good", "good"]);
    for other in &others {
        assert_eq!(fixture.checks(other).await, ["revoked", "revoked"]);
    }
}

#[tokio::test]
async fn what_happens_to_sessions_is_counted() {
    let fixture = Fixture::new().await;
    let logged_out = fixture.login(SessionKind::Single).await;
    let principal = fixture.near.authenticate(logged_out.token.expose_token()).await.unwrap();
    fixture.near.logout(&principal).await.unwrap();
    let stolen = fixture.login(SessionKind::Renewable).await;
    for _ in 0..3 {
        fixture.near.refresh(&refresh_token(&stolen)).await.unwrap();
    }
    fixture.clock.advance(MINUTE);
    assert!(is_reuse(&fixture.near.refresh(&refresh_token(&stolen)).await, &stolen));
    assert!(has_ended(&fixture.near.refresh(&refresh_token(&stolen)).await));
    let elsewhere = fixture.login(SessionKind::Renewable).await;
    assert!(fixture.near.end_session_of(fixture.ada, elsewhere.session.unwrap().id).await.unwrap());

    let stats = fixture.near.session_stats();
    assert_eq!((stats.opened_single, stats.opened_renewable), (1, 2));
    assert_eq!((stats.refreshed, stats.repeated, stats.refused), (1, 2, 1));
    assert_eq!((stats.logged_out, stats.ended_elsewhere, stats.reused), (1, 1, 1));
}

#[tokio::test]
async fn a_session_keeps_neither_user_agent_nor_network_where_details_are_off() {
    let mut options = SessionOptions::default();
    options.details = false;
    let fixture = Fixture::with(options).await;
    for kind in [SessionKind::Single, SessionKind::Renewable] {
        let session = fixture.login(kind).await.session.unwrap();
        assert_eq!((session.user_agent, session.network), (None, None));
    }
    for session in fixture.near.list_sessions(fixture.ada, 100).await.unwrap() {
        assert_eq!((session.user_agent, session.network), (None, None));
    }
}

#[tokio::test]
async fn the_last_use_is_written_at_most_once_a_minute() {
    let fixture = Fixture::new().await;
    let first = fixture.login(SessionKind::Renewable).await;
    let opened = first.session.as_ref().unwrap().last_used_at;
    fixture.clock.advance(Duration::from_secs(59));
    let second = fixture.near.refresh(&refresh_token(&first)).await.unwrap();
    assert_eq!(second.session.as_ref().unwrap().last_used_at, opened);
    fixture.clock.advance(Duration::from_secs(1));
    let third = fixture.near.refresh(&refresh_token(&second)).await.unwrap();
    assert_eq!(third.session.as_ref().unwrap().last_used_at, opened + MINUTE);
}
