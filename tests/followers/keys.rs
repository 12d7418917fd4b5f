//! Scenarios of key sets.

use auth_jwt::JwtCodec;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::tokens::{ED25519, NEXT, P256, RSA, codec};

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

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        sets_that_are_no_sets(),
        a_rotation(),
        an_unknown_key(),
        keys_that_cannot_be_fetched(),
        keys_that_a_cache_kept(),
        a_flood(200, 31),
        a_flood(503, 31),
    ]
}

/// Key sets without a key that a follower may use. A key without `alg` or `kid` is in none of them: both are optional (RFC 7517 §4), and
/// a follower may do without them, because the kind of the key decides the algorithm.
fn unusable() -> Vec<String> {
    let key = |pem| set(&[codec(pem)])["keys"][0].clone();
    let changed = |pem, name: &str, value: Value| {
        let mut key = key(pem);
        key[name] = value;
        json!({ "keys": [key] }).to_string()
    };
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
        changed(RSA, "alg", json!("RS512")),
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
