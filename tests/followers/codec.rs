//! The codec of `auth-feed` agrees with the vectors about what a page and a snapshot are.

use auth_feed::snapshot::SnapshotReader;
use auth_feed::{Cursor, FeedPage};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::vectors;

/// Returns the events of a kind that came with the status 200, each with the name of its scenario.
fn events(kind: &str) -> Vec<(String, Value)> {
    let vectors = vectors(&Value::Null);
    let of = |scenario: &Value| {
        let name = scenario["name"].to_string();
        let events = scenario["events"].as_array().unwrap().clone();
        events.into_iter().map(move |event| (name.clone(), event)).collect::<Vec<_>>()
    };
    let all = vectors["scenarios"].as_array().unwrap().iter().flat_map(of);
    all.filter(|(_, event)| event["event"] == kind && event["status"] == 200).collect()
}

#[test]
fn the_codec_reads_the_pages_that_a_follower_uses_and_no_others() {
    for (scenario, event) in events("page") {
        let after: Cursor = event["after"].as_str().unwrap().parse().unwrap();
        let read = FeedPage::from_json(event["body"].as_str().unwrap().as_bytes(), &after);
        assert_eq!(Value::from(read.is_ok()), event["used"], "{scenario}: {event}: {read:?}");
    }
}

#[test]
fn the_codec_reads_the_snapshots_that_a_follower_uses_and_no_others() {
    for (scenario, event) in events("snapshot") {
        let bytes = BASE64_STANDARD.decode(event["body"].as_str().unwrap()).unwrap();
        let read = SnapshotReader::new(&bytes).and_then(|reader| reader.batches().map(Iterator::count));
        assert_eq!(Value::from(read.is_ok()), event["used"], "{scenario}: {event}: {read:?}");
    }
}
