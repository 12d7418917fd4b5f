use auth_core::keys::KeyAlgorithm;
use auth_jwt::PrivateKey;

use super::*;

const COOL_DOWN: Duration = Duration::from_secs(2);
const DAY: Duration = Duration::from_hours(24);

fn key() -> String {
    let key = PrivateKey::generate(KeyAlgorithm::EdDsa).unwrap().signing_key().unwrap();
    key.verifying_key().to_jwk_json().unwrap()
}

fn set(keys: &[&String]) -> KeysAnswer {
    let keys: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
    KeysAnswer { status: 200, body: format!("{{\"keys\":[{}]}}", keys.join(",")).into(), ..KeysAnswer::default() }
}

fn unchanged() -> KeysAnswer {
    KeysAnswer { status: 304, ..KeysAnswer::default() }
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_token_that_comes_during_a_fetch_is_decided_by_the_next_one() {
    let mut published = Published::new(COOL_DOWN);
    let answer = set(&[&key()]);
    published.want(milliseconds(0));
    published.want(milliseconds(5));
    published.take(milliseconds(1), milliseconds(20), Some(&answer)).unwrap();
    assert_eq!(
        (published.fetched_since(milliseconds(0)), published.fetched_since(milliseconds(5))),
        (Some(true), None)
    );
    assert_eq!(published.due_in(milliseconds(20)).0, milliseconds(1_981));
    published.take(milliseconds(2_001), milliseconds(2_010), Some(&answer)).unwrap();
    assert_eq!(published.fetched_since(milliseconds(5)), Some(true));
    assert!(published.due_in(milliseconds(2_010)).0 > COOL_DOWN, "nobody waits any more");
}

#[test]
fn an_unchanged_set_confirms_its_keys_and_lets_the_older_ones_go() {
    let mut published = Published::new(COOL_DOWN);
    let (old, new, other) = (key(), key(), key());
    let take = |published: &mut Published, at, answer| published.take(at, at, Some(&answer));
    assert_eq!(take(&mut published, DAY, set(&[&old, &new])), Ok(true));
    assert_eq!(take(&mut published, 2 * DAY, set(&[&new])), Ok(true), "the latest comes first");
    for day in 3..91 {
        assert_eq!((take(&mut published, day * DAY, unchanged()), published.known.len()), (Ok(false), 2), "{day}");
    }
    assert_eq!((take(&mut published, 91 * DAY, unchanged()), published.known.len()), (Ok(true), 1));
    assert_eq!(take(&mut published, 100 * DAY, set(&[&other])), Ok(true));
    assert_eq!(published.known.len(), 2, "a set that is wrong once ends no key that was there a moment ago");
}
