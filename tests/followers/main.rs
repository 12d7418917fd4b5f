//! The vectors of `examples/followers/vectors.json`: written here, so that a token or a page in them is what the crates make,
//! and run here against the follower in Rust. The followers in other languages run the same file in `.ci/followers`.
//!
//! After a change, write the file anew: `AUTH_TEST_WRITE_VECTORS=1 cargo test --workspace --test followers`.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod broken;
mod codec;
mod feed;
mod freshness;
mod in_rust;
mod keys;
mod scenario;
mod tokens;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::tokens::{AUDIENCE, ISSUER};

/// Maximum age of the copy, in milliseconds.
const MAX_STALENESS: u64 = 5_000;

/// Shortest time between two fetches of the keys, in milliseconds.
const COOL_DOWN: u64 = 2_000;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/followers/vectors.json")
}

/// Returns the whole file. An ECDSA signature is different each time, so the token of the `committed` file is kept while it is
/// good.
fn vectors(committed: &Value) -> Value {
    let tokens = tokens::all(committed["tokens"]["es256"].as_str());
    let scenarios: Vec<Scenario> =
        [feed::scenarios(&tokens), freshness::scenarios(), broken::scenarios(), keys::scenarios()].concat();
    json!({
        "about": "What a follower answers, event by event. docs/FOLLOWERS.md says how to read it.",
        "options": {
            "issuer": ISSUER, "audience": AUDIENCE, "max_staleness_ms": MAX_STALENESS, "cool_down_ms": COOL_DOWN,
        },
        "tokens": tokens,
        "scenarios": scenarios.into_iter().map(Scenario::into_json).collect::<Vec<_>>(),
    })
}

#[test]
fn the_file_of_vectors_is_what_the_crates_make() {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let committed = serde_json::from_str(&text).unwrap_or_default();
    let made = format!("{:#}\n", vectors(&committed));
    if std::env::var_os("AUTH_TEST_WRITE_VECTORS").is_some() {
        fs::write(path(), made).unwrap();
    } else {
        let rule = "examples/followers/vectors.json is stale: AUTH_TEST_WRITE_VECTORS=1 cargo test --workspace --test followers";
        assert!(made == text, "{rule}");
    }
}
