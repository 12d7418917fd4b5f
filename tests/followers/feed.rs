//! Scenarios of entries, times and snapshots.

use auth_core::KeyId;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::scenario::{EPOCH, INSTANCE, Scenario};
use crate::tokens::{ADA, BOB, ED25519, EXPIRY, SESSION, SINGLE, START, TOKEN, Tokens, codec, is_invalid};

const DAY: i64 = 86_400_000;

pub(crate) fn token(id: Uuid) -> Value {
    json!({ "token": id, "exp": EXPIRY })
}

fn session(id: Uuid) -> Value {
    json!({ "session": id, "exp": EXPIRY, "at": START })
}

fn user(id: Uuid, below: u32) -> Value {
    json!({ "user": id, "below": below, "exp": START + 90 * 86_400 })
}

fn key() -> Value {
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
}

/// Returns a snapshot at a position. Everything in it expires in the hour of [`EXPIRY`].
pub(crate) fn snapshot(epoch: Uuid, position: u64, content: &Content) -> Vec<u8> {
    let header = json!({
        "epoch": epoch, "instance": INSTANCE, "uptime_ms": 70_000, "age_ms": 0, "head": position,
        "purged": { "tokens": 0, "users": 0 },
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
                hour(&mut bytes, START);
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
    vec![
        every_token(tokens),
        expiry_and_leeway(),
        clocks_that_are_wrong(),
        every_kind_of_entry(),
        ids_of_another_kind(),
        a_snapshot_with_every_kind(),
        an_expiry_does_not_hide_an_entry(),
        nothing_is_good_before_all_is_there(),
        the_bound(),
        ages_count(),
        a_cache_that_is_stuck(),
        a_page_that_comes_late(),
        clocks_that_run_apart(),
        a_server_whose_time_goes_back(),
        parts_of_a_round(),
        purged_entries(),
        forgotten_entries(),
        another_epoch(),
        a_cursor_that_is_gone(),
        cut_off(),
    ]
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
        revoked.iter().for_each(|token| scenario.check(token, "revoked"));
        good.iter().for_each(|token| scenario.check(token, "good"));
    }
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
        keys: Vec::new(),
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

fn nothing_is_good_before_all_is_there() -> Scenario {
    let mut scenario = Scenario::new("nothing is good before keys, snapshot and a page are there");
    scenario.keys_due(None, true);
    let asked = scenario.now;
    scenario.check("ed25519", "keys");
    scenario.keys(0, "", false);
    scenario.check_asked(asked, "ed25519", "unavailable");
    scenario.keys_due(None, false);
    scenario.wait(2_000);
    scenario.keys_due(None, true);
    let asked = scenario.now;
    scenario.keys(200, &crate::keys::document(), true);
    scenario.check_asked(asked, "ed25519", "unavailable");
    scenario.snapshot(0, b"", false);
    scenario.snapshot(503, b"{}", false);
    scenario.snapshot(200, &empty_snapshot(EPOCH), true);
    scenario.answer(0, json!({}), String::new(), false);
    scenario.check("ed25519", "unavailable");
    scenario.heartbeat();
    scenario.check("ed25519", "good");
    scenario
}

fn the_bound() -> Scenario {
    let mut scenario = Scenario::followed("the copy counts as of the start of the request, and up to the bound");
    scenario.entries(&[token(TOKEN)]);
    scenario.age(5_000);
    scenario.check("rs256", "good");
    scenario.wait(1);
    scenario.check("rs256", "unavailable");
    scenario.check("ed25519", "revoked");
    scenario.check("invalid alg: none", "invalid");
    scenario.answer(503, json!({}), String::new(), false);
    scenario.check("rs256", "unavailable");
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario.check("ed25519", "revoked");
    scenario
}

fn ages_count() -> Scenario {
    let mut scenario = Scenario::followed("the age of the server's copy and of a cache count");
    scenario.outlive_the_bound();
    let mut page = scenario.page(&[]);
    page["age_ms"] = json!(1_500);
    scenario.take_with(json!({ "age": "2" }), &page);
    scenario.age(1_500);
    scenario.check("rs256", "good");
    scenario.wait(1);
    scenario.check("rs256", "unavailable");
    for age in ["soon", "-1", "1.5", "", "6"] {
        let page = scenario.page(&[]);
        scenario.take_with(json!({ "age": age }), &page);
        scenario.check("rs256", "unavailable");
    }
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario
}

fn a_cache_that_is_stuck() -> Scenario {
    let mut scenario = Scenario::followed("a cache that repeats a page does not keep the copy fresh");
    let page = scenario.page(&[]);
    for _ in 0..5 {
        scenario.take(&page);
        scenario.check("rs256", "good");
        scenario.wait(980);
    }
    scenario.wait(100);
    for _ in 0..5 {
        scenario.take(&page);
        scenario.check("rs256", "unavailable");
        scenario.wait(980);
    }
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario
}

fn a_page_that_comes_late() -> Scenario {
    let mut scenario = Scenario::followed("a page counts as of its making, however late it comes");
    let late = scenario.page(&[token(TOKEN)]);
    scenario.wait(6_000);
    scenario.take(&late);
    scenario.check("rs256", "unavailable");
    scenario.check("ed25519", "revoked");
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario
}

fn clocks_that_run_apart() -> Scenario {
    let mut scenario = Scenario::followed("monotonic clocks that run apart make nothing stale");
    for _ in 0..72 {
        scenario.wait(3_600_000 - 20);
        let mut page = scenario.page(&[]);
        // The clock of the server loses 100 parts in a million.
        page["uptime_ms"] = json!(page["uptime_ms"].as_u64().unwrap() - scenario.now / 10_000);
        scenario.take(&page);
        scenario.wall_error = -i64::try_from(scenario.now).unwrap();
        scenario.check("rs256", "good");
    }
    scenario
}

fn a_server_whose_time_goes_back() -> Scenario {
    let mut scenario = Scenario::followed("a server whose monotonic time goes back is not believed, and a new one is");
    scenario.outlive_the_bound();
    let mut page = scenario.page(&[]);
    page["uptime_ms"] = json!(1_000);
    scenario.take(&page);
    scenario.check("rs256", "unavailable");
    let mut page = scenario.page(&[]);
    page["uptime_ms"] = json!(1_000);
    page["instance"] = json!(Uuid::from_u128(0x1257_0000_0000_4000_8000_0000_0000_0002));
    scenario.take(&page);
    scenario.check("rs256", "good");
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

fn cut_off() -> Scenario {
    let mut scenario =
        Scenario::followed("what is revoked while a follower is cut off is accepted up to the bound only");
    for _ in 0..5 {
        scenario.answer(0, json!({}), String::new(), false);
        scenario.check("rs256", "good");
        scenario.wait(900);
    }
    scenario.wait(500);
    for token in ["ed25519", "rs256", "of a client"] {
        scenario.check(token, "unavailable");
    }
    scenario.entries(&[key()]);
    scenario.check("ed25519", "revoked");
    scenario.check("of a client", "revoked");
    scenario.check("rs256", "good");
    scenario
}
