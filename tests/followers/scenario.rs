//! Time lines of the vectors: what a follower fetches, what it is answered, and what it then says of tokens.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::MAX_STALENESS;
use crate::feed::empty_snapshot;
use crate::keys;
use crate::tokens::START;

pub(crate) const EPOCH: Uuid = Uuid::from_u128(0xe90c_0000_0000_4000_8000_0000_0000_0001);
pub(crate) const INSTANCE: Uuid = Uuid::from_u128(0x1257_0000_0000_4000_8000_0000_0000_0001);

/// Monotonic time of the server when a scenario begins, in milliseconds.
const UPTIME: u64 = 70_000;

/// Time from a request to its answer, in milliseconds.
const ROUND_TRIP: u64 = 20;

/// Events of a follower that has fetched nothing yet. Times are in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    name: &'static str,
    events: Vec<Value>,
    /// Monotonic time of the follower.
    pub(crate) now: u64,
    /// Difference between its wall clock and the right time.
    pub(crate) wall_error: i64,
    pub(crate) epoch: Uuid,
    /// Position up to which the follower has read.
    pub(crate) position: u64,
}

impl Scenario {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, events: Vec::new(), now: 1_000, wall_error: 0, epoch: EPOCH, position: 0 }
    }

    /// Returns a scenario whose follower has the keys and an empty copy that is fresh.
    pub(crate) fn followed(name: &'static str) -> Self {
        let mut scenario = Self::new(name);
        scenario.keys(200, &keys::document(), true);
        scenario.snapshot(200, &empty_snapshot(EPOCH), true);
        scenario.heartbeat();
        scenario
    }

    pub(crate) fn into_json(self) -> Value {
        json!({ "name": self.name, "events": self.events })
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) {
        self.now += milliseconds;
    }

    /// Sets the wall clock back to the beginning of the scenario, so that no token has expired.
    pub(crate) fn stop_the_wall_clock(&mut self) {
        self.wall_error = -i64::try_from(self.now).unwrap();
    }

    /// Moves on until the copy of the last page has the age `milliseconds`.
    pub(crate) fn age(&mut self, milliseconds: u64) {
        self.now += milliseconds - ROUND_TRIP;
    }

    /// Adds the answer to a request that is sent now.
    fn fetched(&mut self, event: Value, status: u16, headers: Value, body: String, used: bool) {
        let mut event = event;
        event["sent"] = self.now.into();
        self.now += ROUND_TRIP;
        event["received"] = self.now.into();
        event["status"] = status.into();
        event["headers"] = headers;
        event["body"] = body.into();
        event["used"] = used.into();
        self.events.push(event);
    }

    pub(crate) fn keys(&mut self, status: u16, body: &str, used: bool) {
        self.keys_with(json!({}), status, body, used);
    }

    /// Adds an answer with a key set and these headers. The set lives for 300 s if they do not say otherwise.
    pub(crate) fn keys_with(&mut self, headers: Value, status: u16, body: &str, used: bool) {
        let mut headers = headers;
        if headers.get("cache-control").is_none() {
            headers["cache-control"] = json!("public, max-age=300");
        }
        self.fetched(json!({ "event": "keys" }), status, headers, body.to_owned(), used);
    }

    pub(crate) fn keys_due(&mut self, asked: Option<u64>, due: bool) {
        let mut event = json!({ "event": "keys_due", "mono": self.now });
        if let Some(asked) = asked {
            event["asked"] = asked.into();
        }
        event["due"] = due.into();
        self.events.push(event);
    }

    pub(crate) fn snapshot(&mut self, status: u16, body: &[u8], used: bool) {
        self.fetched(json!({ "event": "snapshot" }), status, json!({}), BASE64_STANDARD.encode(body), used);
    }

    /// Text of the cursor at a position. The mark of an entry is its position.
    pub(crate) fn cursor(&self, position: u64) -> String {
        format!("{}:{position}:{position:016x}", self.epoch)
    }

    /// Returns the page that the server makes while the request is under way, with entries after the position of the follower.
    pub(crate) fn page(&self, entries: &[Value]) -> Value {
        let next = self.position + entries.len() as u64;
        let entry = |(entry, position): (&Value, u64)| {
            let mut numbered = json!({ "position": position, "mark": format!("{position:016x}") });
            for (name, value) in entry.as_object().into_iter().flatten() {
                numbered[name] = value.clone();
            }
            numbered
        };
        json!({
            "epoch": self.epoch,
            "instance": INSTANCE,
            "uptime_ms": UPTIME + self.now + ROUND_TRIP / 2,
            "age_ms": 0,
            "head": next,
            "purged": { "tokens": 0, "users": 0 },
            "entries": entries.iter().zip(self.position + 1..).map(entry).collect::<Vec<_>>(),
            "skipped": 0,
            "next": self.cursor(next),
        })
    }

    /// Adds an answer to the request for a page. The body may be anything.
    pub(crate) fn answer(&mut self, status: u16, headers: Value, body: String, used: bool) {
        let after = self.cursor(self.position);
        self.fetched(json!({ "event": "page", "after": after }), status, headers, body, used);
    }

    /// Adds a page that the follower uses.
    pub(crate) fn take(&mut self, page: &Value) {
        self.take_with(json!({}), page);
    }

    pub(crate) fn take_with(&mut self, headers: Value, page: &Value) {
        self.answer(200, headers, page.to_string(), true);
        let next = page["next"].as_str().and_then(|next| next.split(':').nth(1));
        self.position = next.unwrap().parse().unwrap();
    }

    pub(crate) fn entries(&mut self, entries: &[Value]) {
        let page = self.page(entries);
        self.take(&page);
    }

    /// Adds a page without entries.
    pub(crate) fn heartbeat(&mut self) {
        self.entries(&[]);
    }

    /// Adds the check of a token at this moment.
    pub(crate) fn check(&mut self, token: &str, answer: &str) {
        self.check_asked(self.now, token, answer);
    }

    /// Adds the check of a token that came at `asked`.
    pub(crate) fn check_asked(&mut self, asked: u64, token: &str, answer: &str) {
        let mut event = json!({ "event": "check", "token": token, "mono": self.now, "wall": self.wall() });
        if asked != self.now {
            event["asked"] = asked.into();
        }
        event["answer"] = answer.into();
        self.events.push(event);
    }

    /// Adds many checks of tokens with keys that nobody has, and the number of fetches that they cause.
    pub(crate) fn flood(&mut self, token: &str, checks: u64, until: u64, fetches: u64, status: u16, body: &str) {
        self.events.push(json!({
            "event": "flood", "token": token, "checks": checks, "mono": self.now, "until": until, "wall": self.wall(),
            "fetches": fetches, "status": status, "body": body,
        }));
        self.now = until;
    }

    /// Moves on until the copy is older than the bound.
    pub(crate) fn outlive_the_bound(&mut self) {
        self.now += MAX_STALENESS + 1;
    }

    fn wall(&self) -> i64 {
        START * 1_000 + i64::try_from(self.now).unwrap() + self.wall_error
    }
}
