//! Scenarios of entries and snapshots.

use auth_core::KeyId;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::scenario::{EPOCH, INSTANCE, Scenario};
use crate::tokens::{
    ADA, BOB, ED25519, EXPIRY, LATE_EXPIRY, MONTH, SESSION, SINGLE, START, TOKEN, Tokens, codec, is_invalid,
};

const DAY: i64 = 86_400_000;

/// Longest time from the `at` of a session to its `exp`, in seconds: the longest life of a token, and twice the skew of a clock.
pub(crate) const LONGEST_SESSION_ENTRY: i64 = 90 * 86_400 + 2 * 7_200;

/// The same in a snapshot, where both are rounded down to hours.
pub(crate) const MOST_HOURS_SINCE_END: i64 = LONGEST_SESSION_ENTRY / 3_600 + 1;

/// In hours.
const TEN_DAYS: i64 = 240;

pub(crate) fn token(id: Uuid) -> Value {
    json!({ "token": id, "exp": EXPIRY })
}

pub(crate) fn session(id: Uuid) -> Value {
    json!({ "session": id, "exp": EXPIRY, "at": START })
}

fn user(id: Uuid, below: u32) -> Value {
    json!({ "user": id, "below": below, "exp": START + 90 * 86_400 })
}

pub(crate) fn key() -> Value {
    let kid = codec(ED25519).jwks();
    let document: Value = serde_json::from_str(kid.as_json()).unwrap();
    let id = KeyId::of_kid(document["keys"][0]["kid"].as_str().unwrap());
    json!({ "key": id.to_string(), "exp": START + 90 * 86_400 })
}

/// What a snapshot holds, besides its header.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) tokens: Vec<Uuid>,
    pub(crate) sessions: Vec<Uuid>,
    pub(crate) users: Vec<(Uuid, u32)>,
    pub(crate) keys: Vec<Uuid>,
    /// Bounds of the entries of tokens and of users that may have been purged.
    pub(crate) purged: (i64, i64),
    /// Hours from the end of the sessions to their expiry, [`TEN_DAYS`] without this.
    pub(crate) hours_since_end: Option<i64>,
}

/// Returns a snapshot at a position. Everything in it expires in the hour of [`EXPIRY`]. Its sessions ended long before, so that a
/// follower that mixes up the two hours of a session drops them at once.
pub(crate) fn snapshot(epoch: Uuid, position: u64, content: &Content) -> Vec<u8> {
    let header = json!({
        "epoch": epoch, "instance": INSTANCE, "uptime_ms": 70_000, "age_ms": 0, "head": position,
        "purged": { "tokens": content.purged.0, "users": content.purged.1 },
        "next": format!("{epoch}:{position}:{position:016x}"),
        "counts": {
            "tokens": content.tokens.len(), "sessions": content.sessions.len(), "users": content.users.len(),
            "keys": content.keys.len(),
        },
    })
    .to_string();
    let mut bytes = b"RARS\x01".to_vec();
    let hour = |bytes: &mut Vec<u8>, seconds: i64| bytes.extend((seconds / 3_600).to_be_bytes());
    let count = |bytes: &mut Vec<u8>, count: usize| bytes.extend(u32::try_from(count).unwrap().to_be_bytes());
    count(&mut bytes, header.len());
    bytes.extend(header.as_bytes());
    for (ids, is_session) in [(&content.tokens, false), (&content.sessions, true)] {
        count(&mut bytes, usize::from(!ids.is_empty()));
        if !ids.is_empty() {
            hour(&mut bytes, EXPIRY);
            if is_session {
                hour(&mut bytes, EXPIRY - content.hours_since_end.unwrap_or(TEN_DAYS) * 3_600);
            }
            count(&mut bytes, ids.len());
            let mut before: Option<&Uuid> = None;
            for id in ids {
                let pairs = before.into_iter().flat_map(|before| before.as_bytes().iter().zip(id.as_bytes()));
                let shared = pairs.take_while(|(one, other)| one == other).count();
                bytes.push(u8::try_from(shared).unwrap());
                bytes.extend(&id.as_bytes()[shared..]);
                before = Some(id);
            }
        }
    }
    count(&mut bytes, content.users.len());
    for (id, below) in &content.users {
        bytes.extend(id.as_bytes());
        bytes.extend(below.to_be_bytes());
        hour(&mut bytes, EXPIRY);
    }
    count(&mut bytes, content.keys.len());
    for id in &content.keys {
        bytes.extend(id.as_bytes());
        hour(&mut bytes, EXPIRY);
    }
    with_digest(bytes)
}

/// Adds the digest to the bytes of a snapshot.
pub(crate) fn with_digest(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

pub(crate) fn empty_snapshot(epoch: Uuid) -> Vec<u8> {
    snapshot(epoch, 0, &Content::default())
}

pub(crate) fn scenarios(tokens: &Tokens) -> Vec<Scenario> {
    let mut scenarios = vec![
        every_token(tokens),
        expiry_and_leeway(),
        clocks_that_are_wrong(),
        every_kind_of_entry(),
        times_of_a_session(),
        ids_of_another_kind(),
        a_snapshot_with_every_kind(),
        an_hour_of_a_snapshot(),
        an_expiry_does_not_hide_an_entry(),
        parts_of_a_round(),
        purged_entries(),
        purged_entries_of_a_snapshot(),
        forgotten_entries(),
        another_epoch(),
        a_cursor_that_is_gone(),
    ];
    let entries = [token(MONTH), session(SESSION), user(ADA, 4), key()];
    scenarios.extend(entries.iter().map(a_repeated_entry));
    scenarios
}

fn every_token(tokens: &Tokens) -> Scenario {
    let mut scenario = Scenario::followed("every token before anything is revoked");
    for name in tokens.keys().filter(|name| *name != "of the next key") {
        scenario.check(name, if is_invalid(name) { "invalid" } else { "good" });
    }
    scenario
}

fn expiry_and_leeway() -> Scenario {
    let mut scenario = Scenario::followed("a token is good until one second after its expiry");
    let left = (EXPIRY - START) * 1_000 - i64::try_from(scenario.now).unwrap();
    for (after, answer) in [(-1, "good"), (0, "good"), (999, "good"), (1_000, "expired"), (DAY, "expired")] {
        scenario.wall_error = left + after;
        scenario.check("ed25519", answer);
    }
    scenario.outlive_the_bound();
    scenario.check("ed25519", "expired");
    // The expiry is looked at first.
    scenario.entries(&[token(TOKEN)]);
    scenario.check("ed25519", "expired");
    scenario
}

fn clocks_that_are_wrong() -> Scenario {
    let mut scenario = Scenario::followed("the wall clock decides about the expiry alone");
    for wall_error in [-DAY * 3_650, -7_200_000, 0, 800_000] {
        scenario.wall_error = wall_error;
        scenario.check("ed25519", "good");
    }
    scenario.outlive_the_bound();
    scenario.wall_error = -DAY;
    scenario.check("ed25519", "unavailable");
    scenario
}

fn every_kind_of_entry() -> Scenario {
    let mut scenario = Scenario::followed("each kind of entry ends its tokens and no others");
    let steps: [(Value, &[&str], &[&str]); 6] = [
        (token(TOKEN), &["ed25519"], &["rs256", "of a single session", "of a session"]),
        (token(SINGLE), &["of a single session"], &["of a session"]),
        (session(SESSION), &["of a session", "of the same session"], &["rs256"]),
        (user(BOB, 3), &["of bob, generation 2"], &["of bob, generation 3", "rs256"]),
        (user(BOB, 2), &["of bob, generation 2"], &["of bob, generation 3"]),
        (key(), &["of bob, generation 3", "of an admin", "of a client", "with roles"], &["rs256", "es256"]),
    ];
    for (entry, revoked, good) in steps {
        scenario.entries(&[entry]);
        for token in revoked {
            scenario.check(token, "revoked");
        }
        for token in good {
            scenario.check(token, "good");
        }
    }
    scenario
}

fn times_of_a_session() -> Scenario {
    let mut scenario = Scenario::followed("a session may end after its last token has expired, or long before");
    for (id, at) in [(SINGLE, EXPIRY + 30 * 86_400), (SESSION, EXPIRY - LONGEST_SESSION_ENTRY)] {
        let mut entry = session(id);
        entry["at"] = json!(at);
        scenario.entries(&[entry]);
    }
    scenario.check("of a session", "revoked");
    scenario.check("of a single session", "good");
    scenario
}

/// `entry` covers `of a session, until the next month` or `until the next month`.
fn a_repeated_entry(entry: &Value) -> Scenario {
    let mut scenario = Scenario::followed("an entry that comes again with an earlier expiry holds as long as before");
    let token =
        if entry.get("session").is_some() { "of a session, until the next month" } else { "until the next month" };
    for expiry in [EXPIRY, LATE_EXPIRY, EXPIRY] {
        let mut entry = entry.clone();
        entry["exp"] = json!(expiry);
        scenario.entries(&[entry]);
    }
    // Everything is dropped now whose tokens have expired.
    scenario.wall_error = DAY;
    scenario.check(token, "revoked");
    scenario.heartbeat();
    scenario.check(token, "revoked");
    scenario
}

fn ids_of_another_kind() -> Scenario {
    let mut scenario = Scenario::followed("the id of a session is not that of a token, and the other way round");
    scenario.entries(&[session(SINGLE), session(TOKEN), token(SESSION), user(TOKEN, 9)]);
    for token in ["of a single session", "ed25519", "of a session"] {
        scenario.check(token, "good");
    }
    scenario
}

fn a_snapshot_with_every_kind() -> Scenario {
    let key = key();
    let mut scenario = Scenario::new("a snapshot ends what its entries end");
    scenario.keys(200, &crate::keys::document(), true);
    let content = Content {
        tokens: vec![Uuid::from_u128(TOKEN.as_u128() - 1), TOKEN, SINGLE],
        sessions: vec![SESSION],
        users: vec![(BOB, 3)],
        hours_since_end: Some(MOST_HOURS_SINCE_END),
        ..Content::default()
    };
    scenario.snapshot(200, &snapshot(EPOCH, 40, &content), true);
    scenario.position = 40;
    scenario.heartbeat();
    for token in ["ed25519", "of a single session", "of a session", "of the same session", "of bob, generation 2"] {
        scenario.check(token, "revoked");
    }
    for token in ["rs256", "of bob, generation 3", "of a client"] {
        scenario.check(token, "good");
    }
    let content = Content { keys: vec![key["key"].as_str().unwrap().parse().unwrap()], ..Content::default() };
    scenario.answer(410, json!({}), String::new(), true);
    scenario.snapshot(200, &snapshot(EPOCH, 41, &content), true);
    scenario.position = 41;
    scenario.heartbeat();
    scenario.check("of a client", "revoked");
    scenario.check("ed25519", "revoked");
    scenario.check("rs256", "good");
    scenario
}

fn an_hour_of_a_snapshot() -> Scenario {
    let mut scenario = Scenario::new("an entry of a snapshot holds until the end of its hour");
    scenario.keys(200, &crate::keys::document(), true);
    let content = Content { tokens: vec![TOKEN], ..Content::default() };
    scenario.snapshot(200, &snapshot(EPOCH, 1, &content), true);
    scenario.position = 1;
    scenario.heartbeat();
    // The hour began long enough ago for an entry to be dropped, and the token expired later.
    scenario.wall_error = 7_201_000 + (EXPIRY - START) * 500;
    scenario.check("until the next month", "good");
    scenario.wall_error = 0;
    scenario.check("ed25519", "revoked");
    scenario
}

fn an_expiry_does_not_hide_an_entry() -> Scenario {
    let mut scenario = Scenario::followed("an entry holds until its tokens have expired, whatever the wall clock does");
    scenario.entries(&[token(TOKEN)]);
    scenario.wall_error = (EXPIRY - START) * 1_000;
    scenario.check("until the next month", "good");
    scenario.heartbeat();
    scenario.wall_error = 0;
    scenario.check("ed25519", "revoked");
    scenario
}

fn parts_of_a_round() -> Scenario {
    let mut scenario = Scenario::followed("a page that ends before the head is used and is not fresh");
    scenario.outlive_the_bound();
    let mut page = scenario.page(&[token(TOKEN)]);
    page["head"] = json!(3);
    scenario.take(&page);
    scenario.check("ed25519", "revoked");
    scenario.check("rs256", "unavailable");
    // The entry at position 2 was purged.
    let mut page = scenario.page(&[token(SINGLE)]);
    page["skipped"] = json!(1);
    page["entries"][0]["position"] = json!(3);
    page["entries"][0]["mark"] = json!("0000000000000003");
    page["head"] = json!(3);
    page["next"] = json!(scenario.cursor(3));
    scenario.take(&page);
    scenario.check("of a single session", "revoked");
    scenario.check("rs256", "good");
    scenario
}

fn purged_entries() -> Scenario {
    let mut scenario = Scenario::followed("a token whose entry may have been purged is not good");
    let mut page = scenario.page(&[]);
    page["purged"] = json!({ "tokens": 0, "users": EXPIRY });
    scenario.take(&page);
    scenario.check("ed25519", "unavailable");
    scenario.check("until the next hour", "good");
    let mut page = scenario.page(&[]);
    page["purged"] = json!({ "tokens": EXPIRY - 1, "users": 0 });
    scenario.take(&page);
    scenario.check("ed25519", "unavailable");
    let mut page = scenario.page(&[]);
    page["purged"] = json!({ "tokens": EXPIRY, "users": EXPIRY });
    scenario.take(&page);
    // The bounds never fall.
    scenario.heartbeat();
    scenario.check("ed25519", "revoked");
    scenario.check("until the next hour", "good");
    scenario
}

fn purged_entries_of_a_snapshot() -> Scenario {
    let mut scenario = Scenario::new("a snapshot says as well what may have been purged");
    scenario.keys(200, &crate::keys::document(), true);
    for (purged, answer) in [((0, EXPIRY), "unavailable"), ((EXPIRY, 0), "revoked")] {
        scenario.snapshot(200, &snapshot(EPOCH, 0, &Content { purged, ..Content::default() }), true);
        scenario.heartbeat();
        scenario.check("ed25519", answer);
        scenario.check("until the next hour", "good");
        scenario.answer(410, json!({}), String::new(), true);
    }
    scenario
}

fn forgotten_entries() -> Scenario {
    let mut scenario = Scenario::followed("a wall clock that goes ahead and back revives nothing");
    scenario.entries(&[token(TOKEN)]);
    scenario.wall_error = DAY;
    scenario.check("until the next month", "good");
    scenario.heartbeat();
    scenario.check("until the next month", "good");
    scenario.wall_error = 0;
    scenario.check("ed25519", "unavailable");
    scenario.check("until the next month", "good");
    scenario
}

fn another_epoch() -> Scenario {
    let mut scenario = Scenario::followed("after another epoch the snapshot is taken, and what was refused is refused");
    scenario.entries(&[token(TOKEN)]);
    scenario.answer(410, json!({}), r#"{"status":"fail","code":"feed_gone"}"#.to_owned(), true);
    scenario.check("ed25519", "revoked");
    scenario.outlive_the_bound();
    scenario.epoch = Uuid::from_u128(0xe90c_0000_0000_4000_8000_0000_0000_0002);
    scenario.position = 0;
    scenario.snapshot(200, &empty_snapshot(scenario.epoch), true);
    scenario.heartbeat();
    scenario.check("ed25519", "revoked");
    scenario.check("rs256", "good");
    scenario.entries(&[user(ADA, 4)]);
    scenario.check("rs256", "revoked");
    scenario
}

fn a_cursor_that_is_gone() -> Scenario {
    let mut scenario = Scenario::followed("a follower that was away too long begins with the snapshot");
    scenario.entries(&[token(TOKEN)]);
    scenario.wait(60_000);
    scenario.answer(410, json!({}), String::new(), true);
    scenario.snapshot(503, b"", false);
    scenario.check("rs256", "unavailable");
    let content = Content { tokens: vec![SINGLE], ..Content::default() };
    scenario.snapshot(200, &snapshot(EPOCH, 900, &content), true);
    scenario.position = 900;
    scenario.check("of a single session", "revoked");
    scenario.heartbeat();
    scenario.check("ed25519", "revoked");
    scenario.check("rs256", "good");
    scenario
}
