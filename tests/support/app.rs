//! A server as it would run, on a free port, with a clock that only moves when it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::letters::LeaseId;
use auth_core::{AuthService, Clock, Email, Letter, ManualClock, NewClient, User};
use auth_follower::{Follower, FollowerOptions};
use auth_server::app::{App as ServerApp, ServerStores};
use auth_server::config::{Config, Sources};
use auth_server::server::Server;
use auth_testing::databases::TestDatabase;
use serde_json::json;
use time::macros::datetime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Client, Request, Response};

/// Issuer and audience of the tokens, which no setting changes here.
const ISSUER: &str = "auth-server";
const AUDIENCE: &str = "auth-api";

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Time that a server which is told to stop gives its requests.
const GRACE: Duration = Duration::from_secs(30);

/// Time for which a test holds the letters that it takes.
const LEASE: Duration = Duration::from_secs(60);

/// A running server. Servers over one database are nodes of one system: they have one key.
#[derive(Debug)]
pub struct App {
    server: ServerApp,
    client: Client,
    clock: Arc<ManualClock>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<bool>,
}

impl App {
    /// The password that [`register`](Self::register) and [`login`](Self::login) use.
    pub const PASSWORD: &str = "123456";

    /// The setting with which letters are written. No test sends them: [`letters`](Self::letters) takes them from the outbox.
    pub const WITH_LETTERS: (&str, &str) = ("AUTH_MAIL", "smtp://127.0.0.1:9?tls=none");

    /// A server over `database`, which is migrated first.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, &[]).await
    }

    /// A server over `database` with these settings besides.
    pub async fn start_with(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        Self::in_memory_with(&[&[("AUTH_DATABASE_URL", database.url())], settings].concat()).await
    }

    /// A server over a database in memory, for what does not depend on the kind of database.
    pub async fn in_memory() -> Self {
        Self::in_memory_with(&[]).await
    }

    /// A server over a database in memory, or the one that these settings name.
    pub async fn in_memory_with(settings: &[(&str, &str)]) -> Self {
        let clock = standing_clock();
        let server = ServerApp::build(&config(settings), Arc::clone(&clock) as Arc<dyn Clock>).await;
        Self::serve(server.expect("the server is built"), clock).await
    }

    /// A server over these stores.
    pub async fn over(stores: ServerStores) -> Self {
        Self::over_with(stores, &[]).await
    }

    /// A server over these stores with these settings besides.
    pub async fn over_with(stores: ServerStores, settings: &[(&str, &str)]) -> Self {
        let clock = standing_clock();
        let server = ServerApp::with_stores(&config(settings), Arc::clone(&clock) as Arc<dyn Clock>, stores);
        Self::serve(server.expect("the server is built"), clock).await
    }

    async fn serve(server: ServerApp, clock: Arc<ManualClock>) -> Self {
        if let Some(keys) = server.keys() {
            // As at the start of the process: a store that cannot be read stops nothing.
            drop(keys.sync().await);
        }
        let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let listening = Server::bind(free_port, server.endpoint()).await.expect("a free port");
        let client = Client::new(listening.address());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(listening.run(async { stopped.await.unwrap_or_default() }, GRACE));
        Self { server, client, clock, stop, running }
    }

    /// Stops the server as a signal would, and closes its database.
    pub async fn stop(self) {
        self.stop.send(()).expect("the server runs");
        assert!(self.running.await.expect("the server did not panic"), "every request was finished");
        self.server.close().await;
    }

    /// Starts a request.
    pub fn request(&self, method: &str, path: &str) -> Request {
        self.client.request(method, path)
    }

    /// Starts a `GET`.
    pub fn get(&self, path: &str) -> Request {
        self.client.get(path)
    }

    /// Starts a `POST`.
    pub fn post(&self, path: &str) -> Request {
        self.client.post(path)
    }

    /// The client, for what is no decent request.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Registers a user of this name.
    pub async fn register(&self, name: &str) -> Response {
        let body = json!({ "email": email(name), "username": name, "password": Self::PASSWORD });
        let answer = self.post("/auth/register").json(&body).send().await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer
    }

    /// Tries to log in.
    pub async fn try_login(&self, email: &str, password: &str) -> Response {
        self.post("/auth/login").json(&json!({ "email": email, "password": password })).send().await
    }

    /// Logs in the user of this name and returns the token.
    pub async fn login(&self, name: &str) -> String {
        let answer = self.try_login(&email(name), Self::PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("Authorization")
    }

    /// Logs in the user of this name and asks for a refresh token.
    pub async fn login_to_refresh(&self, name: &str) -> Response {
        let body = json!({ "email": email(name), "password": Self::PASSWORD, "session": "refresh" });
        let answer = self.post("/auth/login").json(&body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }

    /// Tries to exchange a refresh token.
    pub async fn refresh(&self, refresh_token: &str) -> Response {
        self.post("/auth/refresh").json(&json!({ "refresh_token": refresh_token })).send().await
    }

    /// Logs out with `token`.
    pub async fn logout(&self, token: &str) -> Response {
        self.post("/auth/logout").bearer(token).send().await
    }

    /// Registers an admin of this name, as an operator does, and returns a token of theirs.
    pub async fn admin(&self, name: &str) -> String {
        self.register(name).await;
        let user = self.find(name).await;
        self.server.service().promote(user.id).await.expect("promoted");
        self.login(name).await
    }

    /// Makes the admin of this name an ordinary user, as an operator does.
    pub async fn demote(&self, name: &str) {
        let user = self.find(name).await;
        self.server.service().demote(user.id).await.expect("demoted");
    }

    /// Disables the account of this name, as an operator does.
    pub async fn disable(&self, name: &str) {
        let user = self.find(name).await;
        self.server.service().disable(user.id).await.expect("disabled");
    }

    /// Enables the account of this name again.
    pub async fn enable(&self, name: &str) {
        let user = self.find(name).await;
        self.server.service().enable(user.id).await.expect("enabled");
    }

    /// Creates a client with these scopes, as an operator does, and returns its id and its secret.
    pub async fn create_client(&self, scopes: &str) -> (String, String) {
        let (name, scopes) = ("a service".parse().expect("a name"), scopes.parse().expect("scopes"));
        let created = self.server.service().create_client(NewClient { name, scopes, life: None }).await;
        let created = created.expect("a client");
        (created.client.id.to_string(), created.secret.expose_text(str::to_owned))
    }

    /// Creates a client with these scopes and returns a token of it.
    pub async fn client_token(&self, scopes: &str) -> String {
        let (id, secret) = self.create_client(scopes).await;
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let answer = self.post("/oauth/token").body("application/x-www-form-urlencoded", form.as_bytes()).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("access_token")
    }

    /// Reads the log of revocations, as a poll does.
    pub async fn read_log(&self) {
        self.server.read_log().await.expect("the log is read");
    }

    /// A follower of this server that reaches it at `url` and has its clock. The server needs a feed and a key pair.
    ///
    /// # Panics
    ///
    /// When the options cannot work.
    pub async fn follower(&self, url: &str) -> Follower {
        let (id, secret) = self.create_client("revocations").await;
        self.follower_with(FollowerOptions::new(url, AUDIENCE, id, secret))
    }

    /// A follower with these options and the clock of this server.
    ///
    /// # Panics
    ///
    /// When the options cannot work.
    #[must_use]
    pub fn follower_with(&self, options: FollowerOptions) -> Follower {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Follower::connect_with(options.issuer(ISSUER), clock).expect("options that can work")
    }

    /// Answers the followers that wait for news, as a server that stops does.
    pub fn end_waits(&self) {
        self.server.end_waits();
    }

    /// Takes the letters that wait in the outbox, decoys included, oldest first.
    pub async fn all_letters(&self) -> Vec<Letter> {
        let outbox = self.server.outbox();
        let lease = LeaseId::generate().expect("randomness");
        let now = outbox.now().await.expect("the time").unwrap_or_else(|| self.clock.now()).max(self.clock.now());
        let leased = outbox.lease(lease, now, now + LEASE, 1_000).await.expect("leased");
        assert!(leased.unreadable.is_empty(), "{:?}", leased.unreadable);
        let mut letters: Vec<Letter> = leased.letters.into_iter().map(|leased| leased.letter).collect();
        for letter in &letters {
            assert!(outbox.remove(letter.id, lease).await.expect("removed"));
        }
        letters.sort_by_key(|letter| letter.created_at);
        letters
    }

    /// Takes the letters that wait to be sent to somebody, oldest first.
    pub async fn letters(&self) -> Vec<Letter> {
        let mut letters = self.all_letters().await;
        letters.retain(|letter| letter.to.is_some());
        letters
    }

    /// Takes the one letter that waits to be sent to somebody.
    pub async fn letter(&self) -> Letter {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{letters:?}");
        letters.remove(0)
    }

    /// Reads the managed keys, and makes one that is due, as a server does at every poll.
    pub async fn sync_keys(&self) {
        self.server.keys().expect("managed keys").sync().await.expect("the keys are read");
    }

    /// Revokes a managed key, as an operator does.
    pub async fn revoke_key(&self, kid: &str) {
        let revoked = self.server.keys().expect("managed keys").revoke(kid).await.expect("revoked");
        assert!(revoked.is_some(), "there is no key {kid}");
    }

    /// The service, for what an operator does.
    #[must_use]
    pub fn service(&self) -> &AuthService {
        self.server.service()
    }

    async fn find(&self, name: &str) -> User {
        let email = Email::parse(&email(name)).expect("an e-mail address");
        self.server.service().find_by_email(&email).await.expect("a registered user")
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The secret that signs tokens.
    #[must_use]
    pub fn secret(&self) -> &'static [u8] {
        SECRET.as_bytes()
    }
}

fn standing_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(datetime!(2026-01-01 00:00 UTC)))
}

fn config(settings: &[(&str, &str)]) -> Config {
    let manages_keys = settings.iter().any(|(name, _)| *name == "AUTH_MASTER_KEY");
    let secret = (!manages_keys).then_some(("AUTH_TOKEN_SECRET", SECRET));
    let env: BTreeMap<String, String> = std::iter::once(("AUTH_ENV", "test"))
        .chain(secret)
        .chain(settings.iter().copied())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Config::load(Sources { env, ..Sources::default() }).expect("a good configuration")
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}
