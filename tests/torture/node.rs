//! A node: the server's own program, as a process that can be killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_tests::{Client, Response};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, timeout};

/// Limit of every wait for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether something has happened.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

const SECRET: &str = "5b1e9a0c7d3f48265b1e9a0c7d3f48265b1e9a0c7d3f48265b1e9a0c7d3f4826";
pub(crate) const PASSWORD: &str = "123456";

/// Interval at which a node reads the log, and maximum age of the last read.
pub(crate) const POLL: Duration = Duration::from_millis(100);
pub(crate) const BOUND: Duration = Duration::from_millis(500);

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Node {
    process: Child,
    door: Door,
}

impl Node {
    /// Starts a node over this database, which it migrates, and waits until it listens.
    pub(crate) async fn start(database_url: &str) -> Self {
        Self::start_with(database_url, &[("AUTH_MAIL", "off")]).await
    }

    /// The same, with further settings.
    pub(crate) async fn start_with(database_url: &str, settings: &[(&str, &str)]) -> Self {
        let milliseconds = |span: Duration| format!("{}ms", span.as_millis());
        let mut process = Command::new(env!("CARGO_BIN_EXE_auth-node"))
            .env_clear()
            .env("AUTH_ENV", "dev")
            .env("AUTH_DATA_DIR", env!("CARGO_TARGET_TMPDIR"))
            .env("AUTH_DATABASE_URL", database_url)
            .env("AUTH_TOKEN_SECRET", SECRET)
            .env("AUTH_LISTEN", "127.0.0.1:0")
            .env("AUTH_BCRYPT_COST", "4")
            // All clients come from one address.
            .env("AUTH_THROTTLE", "off")
            .env("AUTH_BLACKLIST_POLL", milliseconds(POLL))
            .env("AUTH_BLACKLIST_MAX_STALENESS", milliseconds(BOUND))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::default();
        let (listening, address) = oneshot::channel();
        let (stderr, saying) = (process.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || listen(stderr, &saying, listening));
        let address = timeout(PATIENCE, address).await.expect("a node starts in time");
        let address = address.unwrap_or_else(|_| panic!("the node did not start:\n{}", said.lock().unwrap()));
        Self { process, door: Door { client: Client::new(address), said } }
    }

    /// The address that it listens on.
    pub(crate) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Kills it with SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps what the node says, and tells the address once it listens.
fn listen(stderr: ChildStderr, said: &Mutex<String>, listening: oneshot::Sender<SocketAddr>) {
    let mut listening = Some(listening);
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("listening on http://")
            && let Some(listening) = listening.take()
        {
            let address = address.split(' ').next().unwrap().parse().unwrap();
            let _ = listening.send(address);
        }
        let mut said = said.lock().unwrap();
        said.push_str(&line);
        said.push('\n');
    }
}

/// The address of a node, for any number of clients.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    client: Client,
    said: Arc<Mutex<String>>,
}

impl Door {
    pub(crate) async fn register(&self, name: &str) -> std::io::Result<Response> {
        let body = json!({ "email": format!("{name}@example.com"), "username": name, "password": PASSWORD });
        self.client.post("/auth/register").json(&body).try_send().await
    }

    pub(crate) async fn login(&self, name: &str) -> std::io::Result<Response> {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        self.client.post("/auth/login").json(&body).try_send().await
    }

    pub(crate) async fn logout(&self, token: &str) -> std::io::Result<Response> {
        self.client.post("/auth/logout").bearer(token).try_send().await
    }

    pub(crate) async fn check(&self, token: &str) -> std::io::Result<Response> {
        self.client.get("/auth/verify").bearer(token).try_send().await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(path).send().await
    }

    /// Registers a user with a node that is well, and returns their first token.
    pub(crate) async fn new_token(&self, name: &str) -> String {
        let answer = self.register(name).await.unwrap();
        assert_eq!(answer.status, 201, "{}\n{}", answer.body, self.said());
        answer.text("Authorization")
    }

    /// Waits until the node says that it is ready.
    pub(crate) async fn ready(&self) {
        self.until("the node is ready", async || self.get("/readyz").await.status == 200).await;
    }

    /// Looks again and again until it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut ticks = interval(LOOK_AGAIN);
        while !is_so().await {
            assert!(Instant::now() < deadline, "it never happened that {what}:\n{}", self.said());
            ticks.tick().await;
        }
    }

    /// Everything that the node has written to its log.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

/// The status and the machine-readable word of an answer. Whatever else it says, a refusal says it as the contract wants.
pub(crate) fn verdict(answer: &Response) -> (u16, String) {
    match answer.status {
        200 | 201 => (answer.status, String::new()),
        503 => {
            assert!(answer.header("Retry-After").is_some(), "a 503 says when to come back: {answer:?}");
            (503, answer.text("code"))
        }
        status => (status, answer.text("code")),
    }
}

/// The verdict on a token that is refused for what it is.
pub(crate) fn revoked() -> (u16, String) {
    (401, "token_revoked".to_owned())
}
