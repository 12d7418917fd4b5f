//! Two nodes on one database with the session of one user, and the same session by the rules.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::{
    AuthService, Clock as _, Context, Credentials, Email, LEEWAY, ManualClock, NewAccount, Password, PasswordPolicy,
    RefreshError, RefreshToken, SessionId, SessionKind, SessionOptions, SignedIn, UserId, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_storage::{ConnectOptions, SeaRevocationLog, SeaSessionStore, SeaUserStore, connect};
use auth_testing::databases::TestDatabase;
use time::OffsetDateTime;
use time::macros::datetime;

use super::pausing_store::PausingStore;
use super::rules::{Decision, Lives, Rules, Stored, Without};
use super::steps::{Between, Step};

const SECRET: &str = "a secret of ada";
const LIVES: Lives = Lives { access: 900, idle: 7_200, absolute: 20_000, grace: 30 };

/// Answer to a refresh: the number of the refresh token, whether it was not given out before, and the expiry of the
/// access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused,
    /// The refresh token was used before, which ended the session.
    Reused,
    Granted {
        token: usize,
        is_new: bool,
        access_until: u32,
    },
}

/// Two nodes on one database, with the session of one user, and the same session by the rules.
pub(crate) struct System {
    nodes: [Node; 2],
    clock: Arc<ManualClock>,
    ada: UserId,
    id: SessionId,
    refresh_tokens: Vec<RefreshToken>,
    /// Access tokens with their expiries.
    access_tokens: Vec<(String, u32)>,
    rules: Rules,
    stored: Stored,
    is_active: bool,
}

struct Node {
    service: AuthService,
    blacklist: Arc<SyncedBlacklist>,
    sessions: Arc<PausingStore>,
}

const START: OffsetDateTime = datetime!(2027-01-15 08:00 UTC);

impl System {
    pub(crate) async fn on(database: &TestDatabase) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let hasher = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let database = connect(database.url(), ConnectOptions::default()).await.unwrap();
            auth_migrations::up(database.connection()).await.unwrap();
            let log = Arc::new(SeaRevocationLog::new(database.clone()));
            let blacklist = Arc::new(SyncedBlacklist::new(log, clock.clone(), SyncOptions::default()));
            let sessions = Arc::new(PausingStore::new(SeaSessionStore::new(database.clone())));
            let service = AuthService::builder()
                .users(Arc::new(SeaUserStore::new(database)))
                .blacklist(blacklist.clone())
                .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
                .passwords(hasher.clone())
                .policy(PasswordPolicy::new(6))
                .sessions(sessions.clone(), options())
                .clock(clock.clone())
                .build()
                .unwrap();
            nodes.push(Node { service, blacklist, sessions });
        }
        let account = NewAccount {
            email: Email::parse("ada@example.org").unwrap(),
            username: Username::parse("ada").unwrap(),
            password: Password::parse(SECRET).unwrap(),
        };
        let ada = nodes[0].service.create_user(account, false).await.unwrap().id;
        let rules = Rules { lives: LIVES, without: Without::Nothing };
        let mut system = Self {
            nodes: nodes.try_into().ok().unwrap(),
            clock,
            ada,
            id: SessionId::generate().unwrap(),
            refresh_tokens: Vec::new(),
            access_tokens: Vec::new(),
            rules,
            stored: rules.open(0),
            is_active: true,
        };
        system.login().await;
        system
    }

    fn now(&self) -> u32 {
        u32::try_from((self.clock.now() - START).whole_seconds()).unwrap()
    }

    pub(crate) async fn login(&mut self) {
        let credentials =
            Credentials { email: Email::parse("ada@example.org").unwrap(), password: Password::parse(SECRET).unwrap() };
        let context = Context::default().with_session_kind(SessionKind::Renewable);
        let signed_in = self.nodes[0].service.login(credentials, &context).await.unwrap().signed_in().unwrap();
        self.refresh_tokens.clear();
        self.access_tokens.clear();
        self.id = signed_in.session.as_ref().unwrap().id;
        self.stored = self.rules.open(self.now());
        self.is_active = true;
        self.keep(&signed_in);
    }

    /// Keeps the tokens of an answer, and returns it in the form of the rules.
    fn keep(&mut self, signed_in: &SignedIn) -> Answer {
        let refresh_token = &signed_in.refresh.as_ref().unwrap().token;
        let access_until = self.now() + u32::try_from(signed_in.token.expires_in.as_secs()).unwrap();
        self.access_tokens.push((signed_in.token.expose_token().to_owned(), access_until));
        let known = self.refresh_tokens.iter().position(|given| given == refresh_token);
        let token = known.unwrap_or_else(|| {
            self.refresh_tokens.push(refresh_token.clone());
            self.refresh_tokens.len() - 1
        });
        Answer::Granted { token, is_new: known.is_none(), access_until }
    }

    fn answer(&mut self, result: Result<SignedIn, RefreshError>) -> Answer {
        match result {
            Ok(signed_in) => self.keep(&signed_in),
            Err(RefreshError::Ended) => Answer::Refused,
            Err(RefreshError::Reused { .. }) => Answer::Reused,
            Err(error) => panic!("{error}"),
        }
    }

    /// Takes a step by the rules and by the service. Returns the answers of both, in the order in which they were given.
    pub(crate) async fn take(&mut self, step: &Step) -> (Vec<Answer>, Vec<Answer>) {
        let expected = self.take_by_the_rules(step);
        let given = self.take_by_the_service(step).await;
        (expected, given)
    }

    fn take_by_the_rules(&mut self, step: &Step) -> Vec<Answer> {
        let count = self.refresh_tokens.len();
        let mut run =
            Run { rules: self.rules, stored: self.stored, now: self.now(), is_active: self.is_active, made: count };
        let mut answers = Vec::new();
        match *step {
            Step::Wait(_) | Step::Login => {}
            Step::Refresh { choice, .. } => answers.push(run.refresh(choice.of(count), |_| {})),
            Step::Race { choice, between, .. } => {
                let mut before = None;
                let last = run.refresh(choice.of(count), |run| match between {
                    Between::Refresh(other) => before = Some(run.refresh(other.of(count), |_| {})),
                    Between::Logout => run.stored.has_ended = true,
                    Between::RevokeAll => run.is_active = false,
                });
                answers.extend(before);
                answers.push(last);
            }
            Step::Logout { .. } => run.stored.has_ended = true,
            Step::RevokeAll { .. } => run.is_active = false,
        }
        (self.stored, self.is_active) = (run.stored, run.is_active);
        answers
    }

    async fn take_by_the_service(&mut self, step: &Step) -> Vec<Answer> {
        let count = self.refresh_tokens.len();
        match *step {
            Step::Wait(seconds) => self.clock.advance(Duration::from_secs(seconds.into())),
            Step::Login => self.login().await,
            Step::Refresh { choice, node } => {
                let result = self.nodes[node].service.refresh(&self.refresh_tokens[choice.of(count)]).await;
                return vec![self.answer(result)];
            }
            Step::Race { choice, node, between } => {
                let (before, last) = self.race(choice.of(count), node, between).await;
                let before = before.map(|result| self.answer(result));
                let last = self.answer(last);
                return before.into_iter().chain([last]).collect();
            }
            Step::Logout { node } => self.nodes[node].log_out(self.ada, self.id, &self.access_tokens).await,
            Step::RevokeAll { node } => self.nodes[node].revoke_all(self.ada).await,
        }
        Vec::new()
    }

    /// Refreshes on a node. Between the decision and the update another node takes a step.
    async fn race(
        &self,
        token: usize,
        node: usize,
        between: Between,
    ) -> (Option<Result<SignedIn, RefreshError>>, Result<SignedIn, RefreshError>) {
        let (slow, fast) = (&self.nodes[node], &self.nodes[1 - node]);
        let paused = slow.sessions.pause();
        let refresh = async {
            let result = slow.service.refresh(&self.refresh_tokens[token]).await;
            // A refresh that was not paused must not pause the next one.
            slow.sessions.release();
            result
        };
        let meanwhile = async {
            let Ok(resume) = paused.await else { return None };
            let mut answer = None;
            match between {
                Between::Refresh(other) => {
                    let other = &self.refresh_tokens[other.of(self.refresh_tokens.len())];
                    answer = Some(fast.service.refresh(other).await);
                }
                Between::Logout => fast.log_out(self.ada, self.id, &self.access_tokens).await,
                Between::RevokeAll => fast.revoke_all(self.ada).await,
            }
            resume.send(()).unwrap();
            answer
        };
        let (last, before) = tokio::join!(refresh, meanwhile);
        (before, last)
    }

    /// Compares which access tokens pass, and whether the session is listed, on both nodes.
    pub(crate) async fn compare_what_passes(&self, schedule: &[Step]) {
        let now = self.now();
        let is_usable = !self.stored.has_ended && self.is_active;
        let is_live = is_usable && now < self.stored.idle_until && now < self.stored.ends_at;
        for node in &self.nodes {
            while !node.blacklist.sync_step().await.unwrap().complete {}
            for (token, until) in &self.access_tokens {
                let passes = node.service.authenticate(token).await.is_ok();
                let must_pass = is_usable && now < *until + u32::try_from(LEEWAY.as_secs()).unwrap();
                assert_eq!(passes, must_pass, "the access token until {until} at {now} after {schedule:#?}");
            }
            let listed = node.service.list_sessions(self.ada, 100).await.unwrap();
            let is_listed = listed.iter().any(|session| session.id == self.id);
            assert_eq!(is_listed, is_live, "the list at {now} after {schedule:#?}");
        }
    }
}

fn options() -> SessionOptions {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let mut options = SessionOptions::default();
    options.access_life = seconds(LIVES.access);
    options.idle = seconds(LIVES.idle);
    options.absolute = seconds(LIVES.absolute);
    options.grace = seconds(LIVES.grace);
    options
}

impl Node {
    /// Logs the first good access token out. If none is good any more, ends the session from the list.
    async fn log_out(&self, user_id: UserId, id: SessionId, access_tokens: &[(String, u32)]) {
        for (token, _) in access_tokens {
            if let Ok(principal) = self.service.authenticate(token).await {
                return self.service.logout(&principal).await.unwrap();
            }
        }
        assert!(self.service.end_session_of(user_id, id).await.unwrap());
    }

    async fn revoke_all(&self, user_id: UserId) {
        self.service.logout_everywhere(user_id).await.unwrap();
    }
}

/// One step by the rules.
struct Run {
    rules: Rules,
    stored: Stored,
    now: u32,
    is_active: bool,
    /// Number of refresh tokens that were made.
    made: usize,
}

impl Run {
    fn refresh(&mut self, token: usize, between: impl FnOnce(&mut Self)) -> Answer {
        let token = u8::try_from(token).unwrap();
        let mut between = Some(between);
        loop {
            match self.rules.decide(&self.stored, token, self.now, self.is_active) {
                Decision::Refuse => return Answer::Refused,
                Decision::End => {
                    self.stored.has_ended = true;
                    return Answer::Reused;
                }
                Decision::Repeat { successor, access_until } => {
                    return Answer::Granted { token: successor.into(), is_new: false, access_until };
                }
                Decision::Rotate => {
                    if let Some(between) = between.take() {
                        between(self);
                    }
                    let successor = u8::try_from(self.made).unwrap();
                    if let Some(access_until) = self.rules.rotate(&mut self.stored, token, successor, self.now) {
                        self.made += 1;
                        return Answer::Granted { token: successor.into(), is_new: true, access_until };
                    }
                }
            }
        }
    }
}
