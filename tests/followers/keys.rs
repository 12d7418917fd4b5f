//! Scenarios of key sets.

use auth_jwt::JwtCodec;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::tokens::{ED25519, NEXT, P256, RSA, codec};

/// Largest number of keys of a set, and of keys that are kept.
const MAX_KEYS: usize = 64;

const DAY: u64 = 86_400_000;

fn set(codecs: &[JwtCodec]) -> Value {
    let keys = codecs.iter().flat_map(|codec| {
        let document: Value = serde_json::from_str(codec.jwks().as_json()).unwrap();
        document["keys"].as_array().unwrap().clone()
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

/// Returns the key set of the server before a rotation.
pub(crate) fn document() -> String {
    set(&[ED25519, P256, RSA].map(codec)).to_string()
}

/// Returns the key set after a rotation.
fn rotated() -> String {
    set(&[NEXT, ED25519].map(codec)).to_string()
}

/// Returns a set with this number of keys.
fn many(count: usize) -> String {
    let key = set(&[codec(NEXT)])["keys"][0].clone();
    let keys = (0..count).map(|number| {
        let mut key = key.clone();
        key["kid"] = json!(format!("key-{number}"));
        key
    });
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        sets_that_are_no_sets(),
        a_rotation(),
        an_unknown_key(),
        keys_that_cannot_be_fetched(),
        keys_that_a_cache_kept(),
        a_token_that_comes_during_a_fetch(),
        two_keys_with_one_kid(),
        as_many_keys_as_are_kept(),
        the_longest_life_of_a_set(),
        a_set_that_stays_the_same(),
        a_flood(200, 31),
        a_flood(503, 31),
    ]
}

/// Key sets without a key that a follower may use, and one with too many. A key without `alg` or `kid` is in none of them: both are
/// optional (RFC 7517 §4), and a follower may do without them, because the kind of the key decides the algorithm.
fn unusable() -> Vec<String> {
    let key = |pem| set(&[codec(pem)])["keys"][0].clone();
    let changed = |pem, name: &str, value: Value| {
        let mut key = key(pem);
        key[name] = value;
        json!({ "keys": [key] }).to_string()
    };
    let with_factor = |name| changed(RSA, name, json!("AAAA"));
    let odd_of_1024_bits = URL_SAFE_NO_PAD.encode([0xc1; 128]);
    vec![
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":[null,1,{}]}"#.to_owned(),
        "<html></html>".to_owned(),
        rotated()[..100].to_owned(),
        json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256" }] }).to_string(),
        changed(ED25519, "d", json!("AAAA")),
        changed(ED25519, "alg", json!("none")),
        changed(ED25519, "alg", json!("ES256")),
        changed(ED25519, "crv", json!("X25519")),
        changed(ED25519, "use", json!("enc")),
        changed(ED25519, "x", json!("AAAA")),
        changed(P256, "crv", json!("P-384")),
        changed(P256, "y", json!("AAAA")),
        changed(RSA, "n", json!("v7__")),
        changed(RSA, "n", json!(odd_of_1024_bits)),
        changed(RSA, "d", json!("AAAA")),
        with_factor("p"),
        with_factor("q"),
        with_factor("dp"),
        with_factor("dq"),
        with_factor("qi"),
        changed(RSA, "oth", json!([])),
        changed(RSA, "alg", json!("RS512")),
        many(MAX_KEYS + 1),
    ]
}

fn sets_that_are_no_sets() -> Scenario {
    let mut scenario = Scenario::followed("a set without a usable key replaces nothing");
    for body in unusable() {
        scenario.wait(2_000);
        scenario.keys(200, &body, false);
    }
    scenario.wait(2_000);
    scenario.keys(503, &rotated(), false);
    scenario.heartbeat();
    for token in ["ed25519", "es256", "rs256"] {
        scenario.check(token, "good");
    }
    // An unchanged set is as good as a new one.
    scenario.wait(2_000);
    scenario.keys(304, "", true);
    scenario.keys_due(None, false);
    scenario.check("ed25519", "good");
    scenario
}

fn a_rotation() -> Scenario {
    let mut scenario = Scenario::followed("a key that is not published any more verifies what it signed");
    scenario.keys_due(None, false);
    scenario.wait(300_000);
    scenario.keys_due(None, true);
    scenario.keys(200, &rotated(), true);
    scenario.heartbeat();
    for token in ["of the next key", "ed25519", "es256", "rs256"] {
        scenario.check(token, "good");
    }
    scenario
}

fn an_unknown_key() -> Scenario {
    let mut scenario = Scenario::followed("an unknown key is decided by a fetch that began after the token came");
    scenario.wait(2_000);
    let asked = scenario.now;
    scenario.check("of the next key", "keys");
    scenario.keys_due(Some(asked), true);
    scenario.keys(200, &document(), true);
    scenario.check_asked(asked, "of the next key", "invalid");
    // The key is published now. The next fetch may begin when the cool-down is over.
    scenario.wait(500);
    let asked = scenario.now;
    scenario.check("of the next key", "keys");
    scenario.keys_due(Some(asked), false);
    scenario.wait(1_500);
    scenario.keys_due(Some(asked), true);
    scenario.keys(200, &rotated(), true);
    scenario.heartbeat();
    scenario.check_asked(asked, "of the next key", "good");
    scenario
}

fn keys_that_cannot_be_fetched() -> Scenario {
    let mut scenario = Scenario::followed("a token whose key cannot be fetched may be good");
    scenario.wait(2_000);
    for (status, body) in [(0, ""), (500, ""), (200, r#"{"keys":[]}"#)] {
        let asked = scenario.now;
        scenario.check("of the next key", "keys");
        scenario.keys(status, body, false);
        scenario.check_asked(asked, "of the next key", "unavailable");
        scenario.wait(2_000);
    }
    scenario.heartbeat();
    scenario.check("ed25519", "good");
    scenario
}

fn keys_that_a_cache_kept() -> Scenario {
    let mut scenario = Scenario::followed("a set that a cache has kept does not decide about a new key");
    scenario.wait(2_000);
    for age in ["2", "soon"] {
        let asked = scenario.now;
        scenario.check("of the next key", "keys");
        scenario.keys_with(json!({ "age": age }), 200, &document(), true);
        scenario.check_asked(asked, "of the next key", "unavailable");
        scenario.wait(2_000);
    }
    // What is left of the life of the set after 298 s in a cache is the cool-down.
    scenario.keys_with(json!({ "age": "298" }), 200, &document(), true);
    scenario.keys_due(None, false);
    scenario.wait(2_010);
    scenario.keys_due(None, true);
    scenario.keys_with(json!({ "age": "1" }), 200, &rotated(), true);
    scenario.heartbeat();
    scenario.check("of the next key", "good");
    scenario
}

fn a_token_that_comes_during_a_fetch() -> Scenario {
    let mut scenario = Scenario::followed("a fetch decides nothing about a token that came while it was under way");
    scenario.wait(2_000);
    let asked = scenario.now + 10;
    scenario.keys(200, &document(), true);
    scenario.check_asked(asked, "of the next key", "keys");
    scenario.wait(2_000);
    scenario.keys_due(Some(asked), true);
    scenario.keys(0, "", false);
    scenario.check_asked(asked, "of the next key", "unavailable");
    scenario
}

fn two_keys_with_one_kid() -> Scenario {
    let mut scenario = Scenario::followed("of two keys with one kid the first one counts");
    let mut keys = set(&[ED25519, NEXT].map(codec));
    keys["keys"][1]["kid"] = keys["keys"][0]["kid"].clone();
    scenario.wait(2_000);
    scenario.keys(200, &keys.to_string(), true);
    scenario.heartbeat();
    scenario.check("ed25519", "good");
    scenario
}

fn as_many_keys_as_are_kept() -> Scenario {
    let mut scenario = Scenario::followed("a set with many keys drives out those that it has not");
    scenario.wait(2_000);
    scenario.keys(200, &many(MAX_KEYS), true);
    scenario.heartbeat();
    scenario.check("ed25519", "keys");
    scenario.wait(2_000);
    scenario.keys(200, &document(), true);
    scenario.heartbeat();
    scenario.check("ed25519", "good");
    scenario
}

fn the_longest_life_of_a_set() -> Scenario {
    let mut scenario = Scenario::followed("a set is fetched again after an hour, whatever its life is");
    scenario.wait(2_000);
    scenario.keys_with(json!({ "cache-control": "max-age=86400" }), 200, &document(), true);
    scenario.wait(3_599_999);
    scenario.keys_due(None, false);
    scenario.wait(1);
    scenario.keys_due(None, true);
    scenario
}

/// An answer without a change says that the keys of the last set are published still. Those of sets before it are not.
fn a_set_that_stays_the_same() -> Scenario {
    let mut scenario = Scenario::followed("a set that stays the same has its keys still, and no others");
    let is_good = |scenario: &mut Scenario, tokens: &[&str]| {
        scenario.stop_the_wall_clock();
        scenario.heartbeat();
        for token in tokens {
            scenario.check(token, "good");
        }
    };
    for _ in 0..2 {
        scenario.wait(46 * DAY);
        scenario.keys(304, "", true);
    }
    scenario.wait(DAY);
    scenario.keys(200, &rotated(), true);
    is_good(&mut scenario, &["of the next key", "ed25519", "es256", "rs256"]);
    scenario.wait(60 * DAY);
    scenario.keys(304, "", true);
    is_good(&mut scenario, &["of the next key", "ed25519", "es256", "rs256"]);
    scenario.wait(30 * DAY);
    scenario.keys(304, "", true);
    is_good(&mut scenario, &["of the next key", "ed25519"]);
    scenario.wait(2_000);
    let asked = scenario.now;
    scenario.check("es256", "keys");
    scenario.check("rs256", "keys");
    scenario.keys(304, "", true);
    scenario.check_asked(asked, "es256", "invalid");
    scenario.check_asked(asked, "rs256", "invalid");
    scenario
}

fn a_flood(status: u16, fetches: u64) -> Scenario {
    let mut scenario = Scenario::followed("a flood of unknown keys causes one fetch in a cool-down and evicts no key");
    scenario.wait(2_000);
    let until = scenario.now + 61_000;
    scenario.flood("ed25519", 6_100, until, fetches, status, &document());
    scenario.heartbeat();
    for token in ["ed25519", "es256", "rs256"] {
        scenario.check(token, "good");
    }
    scenario
}
