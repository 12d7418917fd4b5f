//! Runs the vectors against the follower in Rust.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::ReadOnlyBlacklist;
use auth_core::{AuthenticateError, BoxError, Clock, TokenCheck, TokenCodec as _, TokenVerifier};
use auth_feed::Cursor;
use auth_feed::client::{Answer, FeedSource, FeedTransport, age};
use auth_follower::RemoteKeys;
use auth_follower::keys::KeysAnswer;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Clocks of the follower, which each event sets.
#[derive(Debug)]
struct Clocks(Mutex<(OffsetDateTime, Duration)>);

impl Clocks {
    fn set_monotonic(&self, milliseconds: &Value) {
        self.0.lock().unwrap().1 = duration(milliseconds);
    }

    fn set_wall(&self, milliseconds: i128) {
        self.0.lock().unwrap().0 = OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).unwrap();
    }
}

impl Clock for Clocks {
    fn now(&self) -> OffsetDateTime {
        self.0.lock().unwrap().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

fn duration(milliseconds: &Value) -> Duration {
    Duration::from_millis(milliseconds.as_u64().unwrap())
}

fn text<'v>(event: &'v Value, name: &str) -> &'v str {
    event[name].as_str().unwrap()
}

fn age_of(answer: &Value) -> Duration {
    age(answer["headers"]["age"].as_str().map(str::as_bytes))
}

/// Answers the one request that the event has, and refuses all others.
#[derive(Debug)]
struct Script {
    clocks: Arc<Clocks>,
    event: Mutex<Option<Value>>,
}

impl Script {
    fn answer(&self, kind: &str, after: Option<&Cursor>) -> Result<Answer, BoxError> {
        let mut scripted = self.event.lock().unwrap();
        let event = scripted.take_if(|event| text(event, "event") == kind).ok_or("not in the script")?;
        assert_eq!(after.map(Cursor::to_string).as_deref(), event["after"].as_str());
        self.clocks.set_monotonic(&event["received"]);
        let body = text(&event, "body");
        let age = age_of(&event);
        match event["status"].as_u64().unwrap() {
            200 if kind == "snapshot" => Ok(Answer::Body { bytes: BASE64_STANDARD.decode(body)?, age }),
            200 => Ok(Answer::Body { bytes: body.into(), age }),
            410 => Ok(Answer::Gone),
            status => Err(format!("status {status}").into()),
        }
    }
}

#[async_trait]
impl FeedTransport for Script {
    async fn page(&self, after: &Cursor, _wait: Duration) -> Result<Answer, BoxError> {
        self.answer("page", Some(after))
    }

    async fn snapshot(&self) -> Result<Answer, BoxError> {
        self.answer("snapshot", None)
    }
}

/// A follower that has fetched nothing yet.
struct Run<'v> {
    tokens: &'v Value,
    clocks: Arc<Clocks>,
    script: Arc<Script>,
    keys: Arc<RemoteKeys>,
    blacklist: Arc<ReadOnlyBlacklist>,
    verifier: TokenVerifier,
}

impl<'v> Run<'v> {
    fn new(vectors: &'v Value) -> Self {
        let options = &vectors["options"];
        let clocks = Arc::new(Clocks(Mutex::new((OffsetDateTime::UNIX_EPOCH, Duration::ZERO))));
        let script = Arc::new(Script { clocks: clocks.clone(), event: Mutex::default() });
        let source = FeedSource::new(script.clone(), clocks.clone(), Duration::from_secs(1));
        let max_staleness = duration(&options["max_staleness_ms"]);
        let blacklist = Arc::new(ReadOnlyBlacklist::new(Arc::new(source), clocks.clone(), max_staleness));
        let cool_down = duration(&options["cool_down_ms"]);
        let (issuer, audience) = (text(options, "issuer"), text(options, "audience"));
        let keys = Arc::new(RemoteKeys::new(issuer, audience, 100, cool_down, clocks.clone()));
        let verifier = TokenVerifier::new(keys.clone(), blacklist.clone(), clocks.clone());
        Self { tokens: &vectors["tokens"], clocks, script, keys, blacklist, verifier }
    }

    async fn play(&self, event: &Value) {
        match text(event, "event") {
            "keys" => self.take_keys(event),
            "keys_due" => {
                self.clocks.set_monotonic(&event["mono"]);
                let asked = event.get("asked").map(duration);
                assert_eq!(Value::from(self.keys.is_due(asked)), event["due"]);
            }
            "snapshot" | "page" => self.step(event).await,
            "check" => {
                self.clocks.set_monotonic(&event["mono"]);
                self.clocks.set_wall(event["wall"].as_i64().unwrap().into());
                let asked = duration(event.get("asked").unwrap_or(&event["mono"]));
                let token = self.tokens[text(event, "token")].as_str().unwrap();
                assert_eq!(self.check(token, asked).await, text(event, "answer"));
            }
            "flood" => self.flood(event).await,
            other => panic!("unknown event {other}"),
        }
    }

    fn take_keys(&self, event: &Value) {
        let header = |name: &str| event["headers"][name].as_str().map(str::to_owned);
        let status = u16::try_from(event["status"].as_u64().unwrap()).unwrap();
        let answer = KeysAnswer {
            status,
            etag: header("etag"),
            cache_control: header("cache-control"),
            age: age_of(event),
            body: text(event, "body").into(),
        };
        self.clocks.set_monotonic(&event["received"]);
        let taken = self.keys.take(duration(&event["sent"]), Some(&answer).filter(|_| status != 0));
        assert_eq!(Value::from(taken.is_ok()), event["used"], "{taken:?}");
    }

    async fn step(&self, event: &Value) {
        self.clocks.set_monotonic(&event["sent"]);
        *self.script.event.lock().unwrap() = Some(event.clone());
        let step = self.blacklist.sync_step().await;
        assert!(self.script.event.lock().unwrap().is_none(), "the follower asked for something else");
        // After a 410 it goes on with the snapshot at once, which is the next event.
        let used = if event["status"] == 410 { event["event"] == "page" } else { step.is_ok() };
        assert_eq!(Value::from(used), event["used"], "{step:?}");
    }

    async fn check(&self, token: &str, asked: Duration) -> &'static str {
        match self.verifier.check(token) {
            Ok(TokenCheck::Good(_)) => "good",
            Ok(TokenCheck::Unsettled(_)) if self.keys.awaits_key(token) => match self.keys.fetched_since(asked) {
                None => "keys",
                Some(true) => "invalid",
                Some(false) => "unavailable",
            },
            Ok(TokenCheck::Unsettled(unsettled)) => answer(&unsettled.settle().await.unwrap_err()),
            Err(error) => answer(&error),
        }
    }

    /// Tokens with keys that nobody has, spread evenly over a time.
    async fn flood(&self, event: &Value) {
        let number = |name: &str| event[name].as_u64().unwrap();
        let (checks, begin) = (number("checks"), number("mono"));
        let token = self.tokens[text(event, "token")].as_str().unwrap();
        let (_, rest) = token.split_once('.').unwrap();
        let mut fetches = 0;
        for check in 0..checks {
            let passed = (number("until") - begin) * check / checks;
            let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": format!("flood-{check}") }).to_string();
            let forged = format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header));
            let now = json!(begin + passed);
            self.clocks.set_monotonic(&now);
            self.clocks.set_wall((number("wall") + passed).into());
            assert_eq!(self.check(&forged, duration(&now)).await, "keys");
            if self.keys.is_due(Some(duration(&now))) {
                fetches += 1;
                let is_good = number("status") == 200;
                self.take_keys(&json!({
                    "sent": now, "received": now, "status": event["status"], "headers": {}, "body": event["body"],
                    "used": is_good,
                }));
                let answer = if is_good { "invalid" } else { "unavailable" };
                assert_eq!(self.check(&forged, duration(&now)).await, answer);
            }
        }
        assert_eq!(fetches, number("fetches"));
    }
}

fn answer(error: &AuthenticateError) -> &'static str {
    match error {
        AuthenticateError::Invalid => "invalid",
        AuthenticateError::Expired => "expired",
        AuthenticateError::Revoked => "revoked",
        AuthenticateError::Unknown(_) => "unavailable",
    }
}

#[tokio::test]
async fn the_follower_in_rust_answers_as_the_vectors_say() {
    let vectors: Value = serde_json::from_str(&fs::read_to_string(crate::path()).unwrap()).unwrap();
    let mut events = 0;
    for scenario in vectors["scenarios"].as_array().unwrap() {
        let run = Run::new(&vectors);
        for (number, event) in scenario["events"].as_array().unwrap().iter().enumerate() {
            let shown: String = event.to_string().chars().take(300).collect();
            println!("{} {number}: {shown}", scenario["name"]);
            run.play(event).await;
            events += 1;
        }
    }
    assert!(events > 100, "{events}");
}
