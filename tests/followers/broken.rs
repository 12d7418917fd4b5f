//! Scenarios of pages and snapshots that are not as promised. None of them is used, not even in part.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::feed::{
    Content, LONGEST_SESSION_ENTRY, MOST_HOURS_SINCE_END, empty_snapshot, session, snapshot, token, with_digest,
};
use crate::scenario::{EPOCH, Scenario};
use crate::tokens::{EXPIRY, SESSION, SINGLE, TOKEN};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![broken_pages(), broken_snapshots()]
}

fn broken_pages() -> Scenario {
    let mut scenario = Scenario::followed("a broken page is not used at all");
    let other = Uuid::from_u128(7);
    let changes: [(&str, Value); 23] = [
        ("/skipped", json!(1)),
        ("/skipped", json!(-1)),
        ("/skipped", Value::Null),
        ("/entries", json!([])),
        ("/entries", Value::Null),
        ("/entries/0", json!({})),
        ("/entries/0/position", json!(2)),
        ("/entries/0/position", json!("1")),
        ("/entries/1/position", json!(3)),
        ("/entries/0/token", json!("x")),
        ("/entries/0/exp", json!("1800000900")),
        ("/entries/0/exp", json!(-1)),
        ("/entries/0/mark", Value::Null),
        ("/entries/1/mark", json!("0000000000000007")),
        ("/next", json!(format!("{EPOCH}:2"))),
        ("/next", json!(format!("{EPOCH}:3:0000000000000003"))),
        ("/next", json!(format!("{other}:2:0000000000000002"))),
        ("/next", Value::Null),
        ("/epoch", json!(other)),
        ("/head", json!(1)),
        ("/uptime_ms", json!("1")),
        ("/age_ms", json!(-1)),
        ("/purged", Value::Null),
    ];
    scenario.outlive_the_bound();
    for (pointer, value) in changes {
        let mut page = scenario.page(&[token(TOKEN), token(SINGLE)]);
        *page.pointer_mut(pointer).unwrap() = value;
        scenario.answer(200, json!({}), page.to_string(), false);
    }
    for kinds in
        [json!({ "device": TOKEN }), json!({ "token": TOKEN, "user": TOKEN, "below": 1 }), json!({ "user": TOKEN })]
    {
        let mut entry = kinds;
        entry["exp"] = json!(1_800_000_900);
        let page = scenario.page(&[entry, token(SINGLE)]);
        scenario.answer(200, json!({}), page.to_string(), false);
    }
    let long_before = EXPIRY - LONGEST_SESSION_ENTRY - 1;
    for (at, expiry) in
        [(Value::Null, EXPIRY), (json!("1800000000"), EXPIRY), (json!(long_before), EXPIRY), (json!(-1), 1)]
    {
        let mut entry = session(SESSION);
        (entry["at"], entry["exp"]) = (at, json!(expiry));
        let page = scenario.page(&[entry, token(SINGLE)]);
        scenario.answer(200, json!({}), page.to_string(), false);
    }
    // A page of another log, whose members agree with each other.
    let mut page = scenario.page(&[token(TOKEN), token(SINGLE)]);
    page["epoch"] = json!(other);
    page["next"] = json!(format!("{other}:2:0000000000000002"));
    scenario.answer(200, json!({}), page.to_string(), false);
    let whole = scenario.page(&[token(TOKEN)]).to_string();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        scenario.answer(200, json!({}), whole[..length].to_owned(), false);
    }
    for status in [204, 301, 400, 401, 404, 429, 500, 502, 503] {
        scenario.answer(status, json!({}), whole.clone(), false);
    }
    scenario.answer(200, json!({}), "<html><body>Sign in to the network</body></html>".to_owned(), false);
    scenario.check("ed25519", "unavailable");
    scenario.check("of a single session", "unavailable");
    // Members that a later version of the feed adds do no harm.
    let mut page = scenario.page(&[]);
    page["later"] = json!({ "more": true });
    scenario.take(&page);
    scenario.check("ed25519", "good");
    scenario.check("of a single session", "good");
    scenario
}

fn broken_snapshots() -> Scenario {
    let mut scenario = Scenario::new("a broken snapshot is not used at all");
    scenario.keys(200, &crate::keys::document(), true);
    let content = |tokens: &[Uuid]| Content { tokens: tokens.to_vec(), ..Content::default() };
    let good = snapshot(EPOCH, 2, &content(&[TOKEN, SINGLE]));
    let without_digest = &good[..good.len() - 32];
    let mut broken = vec![Vec::new(), good[..40].to_vec(), good[..good.len() - 1].to_vec(), without_digest.to_vec()];
    broken.push(with_digest(without_digest[..without_digest.len() - 1].to_vec()));
    broken.push(with_digest([without_digest, &[0]].concat()));
    for place in [0, 4, 8, good.len() - 60, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[place] ^= 1;
        broken.push(flipped);
    }
    // The digest is right, and the content is not.
    broken.push(snapshot(EPOCH, 2, &content(&[SINGLE, TOKEN])));
    broken.push(snapshot(EPOCH, 2, &content(&[TOKEN, TOKEN])));
    let hours_since_end = Some(MOST_HOURS_SINCE_END + 1);
    broken.push(snapshot(EPOCH, 2, &Content { sessions: vec![SESSION], hours_since_end, ..Content::default() }));
    for (member, changed) in [
        ("\"tokens\":2", "\"tokens\":3"),
        ("RARS\u{1}", "RARS\u{2}"),
        ("\"next\"", "\"nest\""),
        ("\"epoch\":\"e", "\"epoch\":\"f"),
    ] {
        let place = without_digest.windows(member.len()).position(|part| part == member.as_bytes()).unwrap();
        let mut bytes = without_digest.to_vec();
        bytes.splice(place..place + member.len(), changed.bytes());
        broken.push(with_digest(bytes));
    }
    for bytes in broken {
        scenario.snapshot(200, &bytes, false);
    }
    scenario.snapshot(404, &good, false);
    scenario.snapshot(200, &empty_snapshot(EPOCH), true);
    scenario.heartbeat();
    scenario.check("ed25519", "good");
    scenario.check("of a single session", "good");
    scenario
}
