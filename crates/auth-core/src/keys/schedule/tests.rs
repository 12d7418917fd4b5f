use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::keys::KeyAlgorithm;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

const SCHEDULE: KeySchedule = KeySchedule {
    rotation: Duration::from_secs(10 * 3600),
    jwks_max_age: Duration::from_secs(300),
    poll: MINUTE,
    token_life: HOUR,
};

fn start() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn new_key(number: u64) -> NewKey {
    NewKey {
        kid: format!("key{number:05}"),
        algorithm: KeyAlgorithm::EdDsa,
        sealed: vec![1],
        public_jwk: "{}".to_owned(),
    }
}

fn kids(set: &KeySet) -> Vec<&str> {
    set.keys.iter().map(|key| key.kid.as_str()).collect()
}

fn states(set: &KeySet, now: OffsetDateTime) -> Vec<KeyState> {
    set.keys.iter().map(|key| key.state(now)).collect()
}

#[test]
fn the_first_key_signs_at_once_and_its_successor_after_the_wait() {
    use KeyState::{Gone, Published, Signing, Verifying};
    let mut now = start();
    assert_eq!(SCHEDULE.due(&KeySet::default(), now), Some(KeyDue::Key));
    let set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), now);
    assert_eq!((states(&set, now), SCHEDULE.due(&set, now)), (vec![Signing], None));

    now += SCHEDULE.rotation.saturating_sub(Duration::from_secs(1));
    assert_eq!(SCHEDULE.due(&set, now), None, "not a second too early");
    now += Duration::from_secs(1);
    assert_eq!(SCHEDULE.due(&set, now), Some(KeyDue::Key));
    let set = SCHEDULE.with_new_key(&set, new_key(2), now);
    assert_eq!((states(&set, now), SCHEDULE.due(&set, now)), (vec![Signing, Published], None));

    now += SCHEDULE.wait().saturating_sub(Duration::from_secs(1));
    assert_eq!(set.signing(now).unwrap().kid, "key00001");
    now += Duration::from_secs(1);
    assert_eq!((set.signing(now).unwrap().kid.as_str(), states(&set, now)), ("key00002", vec![Verifying, Signing]));

    now += SCHEDULE.keep().saturating_sub(Duration::from_secs(1));
    assert_eq!((states(&set, now), SCHEDULE.due(&set, now)), (vec![Verifying, Signing], None));
    now += Duration::from_secs(1);
    assert_eq!((states(&set, now), SCHEDULE.due(&set, now)), (vec![Gone, Signing], Some(KeyDue::Upkeep)));
    assert_eq!(kids(&SCHEDULE.settled(&set, now)), ["key00002"]);
}

#[test]
fn a_key_signs_on_when_its_successor_was_revoked_before_it_signed() {
    let now = start();
    let set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), now);
    let mut set = SCHEDULE.with_new_key(&set, new_key(2), now);
    assert!(set.keys[0].signs_until.is_some());
    set.keys[1].revoked_at = Some(now);
    assert_eq!(SCHEDULE.due(&set, now), Some(KeyDue::Upkeep));
    let set = SCHEDULE.settled(&set, now);
    assert_eq!((set.keys[0].signs_until, set.keys[0].verifies_until), (None, None));
    assert_eq!(set.signing(now + SCHEDULE.wait()).unwrap().kid, "key00001");
}

#[test]
fn a_published_key_signs_early_when_the_signing_one_was_revoked() {
    let now = start();
    let set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), now);
    let mut set = SCHEDULE.with_new_key(&set, new_key(2), now);
    set.keys[0].revoked_at = Some(now);
    assert_eq!((set.signing(now).unwrap().kid.as_str(), SCHEDULE.due(&set, now)), ("key00002", None));
    set.keys[1].revoked_at = Some(now);
    assert_eq!((set.signing(now), SCHEDULE.due(&set, now)), (None, Some(KeyDue::Key)));
    let set = SCHEDULE.with_new_key(&set, new_key(3), now);
    assert_eq!(set.signing(now).unwrap().kid, "key00003");
}

#[test]
fn a_node_whose_clock_is_behind_signs_with_the_first_key_too() {
    let set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), start());
    assert_eq!(set.signing(start() - KEY_SKEW).unwrap().kid, "key00001");
}

#[test]
fn a_longer_life_extends_what_another_node_has_settled_and_a_shorter_one_does_not_cut_it() {
    let now = start();
    let set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), now);
    let set = SCHEDULE.with_new_key(&set, new_key(2), now);
    let end = set.keys[0].verifies_until.unwrap();
    let longer = KeySchedule { token_life: 2 * HOUR, ..SCHEDULE };
    assert_eq!(longer.settled(&set, now).keys[0].verifies_until, Some(end + HOUR));
    let shorter = KeySchedule { token_life: MINUTE, ..SCHEDULE };
    assert_eq!(shorter.settled(&set, now).keys[0].verifies_until, Some(end));
}

#[test]
fn the_row_of_a_revoked_key_stays_as_long_as_its_entry_in_the_log() {
    let now = start();
    let mut set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), now);
    set.keys[0].revoked_at = Some(now);
    let entry = crate::Revocation::of_key("key00001", now);
    assert_eq!(kids(&SCHEDULE.settled(&set, entry.expires_at - LEEWAY)), ["key00001"]);
    assert!(kids(&SCHEDULE.settled(&set, entry.expires_at)).is_empty());
}

#[test]
fn debug_shows_no_private_key() {
    let set = SCHEDULE.with_new_key(&KeySet::default(), new_key(1), start());
    let shown = format!("{set:?} {:?}", new_key(2));
    assert!(shown.contains("key00001") && !shown.contains("sealed") && !shown.contains("[1]"), "{shown}");
}

/// A node of the simulation: its clock, and the set that it read last.
struct Node {
    ahead: time::Duration,
    set: KeySet,
    read_at: OffsetDateTime,
}

/// A copy of the public keys that somebody keeps for [`KeySchedule::jwks_max_age`].
struct Copy {
    kids: Vec<String>,
    fetched_at: OffsetDateTime,
}

fn ring(set: &KeySet, now: OffsetDateTime) -> Vec<String> {
    set.keys.iter().filter(|key| key.is_needed(now)).map(|key| key.kid.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Nodes with clocks up to [`KEY_SKEW`] apart rotate keys and sign. Every token that has not expired is verified by every
    /// node and by whoever has a copy of the public keys that is not too old.
    #[test]
    fn no_rotation_refuses_a_good_token(
        ahead in prop::collection::vec(0_i64..=7_200, 3),
        order in prop::collection::vec(0_usize..3, 64),
        rotation in 1_u64..12,
    ) {
        let schedule = KeySchedule { rotation: Duration::from_secs(rotation * 3600), ..SCHEDULE };
        let (mut real, mut stored, mut made) = (start(), KeySet::default(), 0);
        let mut nodes: Vec<_> = ahead
            .iter()
            .map(|ahead| Node { ahead: time::Duration::seconds(*ahead), set: KeySet::default(), read_at: real - HOUR })
            .collect();
        let mut copies: Vec<_> = nodes.iter().map(|_| Copy { kids: Vec::new(), fetched_at: real - HOUR }).collect();
        let mut latest: HashMap<String, OffsetDateTime> = HashMap::new();
        for step in 0..4_000 {
            for turn in 0..nodes.len() {
                let node = &mut nodes[(order[step % order.len()] + turn) % ahead.len()];
                if real - node.read_at < schedule.poll {
                    continue;
                }
                let now = real + node.ahead;
                let changed = match schedule.due(&stored, now) {
                    Some(KeyDue::Key) => {
                        made += 1;
                        Some(schedule.with_new_key(&stored, new_key(made), now))
                    }
                    Some(KeyDue::Upkeep) => Some(schedule.settled(&stored, now)),
                    None => None,
                };
                if let Some(changed) = changed {
                    stored = KeySet { version: stored.version + 1, keys: changed.keys };
                }
                (node.set, node.read_at) = (stored.clone(), real);
            }
            for (copy, node) in copies.iter_mut().zip(&nodes) {
                if real - copy.fetched_at >= schedule.jwks_max_age {
                    *copy = Copy { kids: ring(&node.set, real + node.ahead), fetched_at: real };
                }
            }
            for node in &nodes {
                let now = real + node.ahead;
                let kid = node.set.signing(now).unwrap().kid.clone();
                let expiry = latest.entry(kid).or_insert(now);
                *expiry = (*expiry).max(now + schedule.token_life);
            }
            for (kid, expires_at) in &latest {
                for node in &nodes {
                    let now = real + node.ahead;
                    let good = now < *expires_at + LEEWAY;
                    prop_assert!(!good || ring(&node.set, now).contains(kid), "{kid} at step {step}");
                }
                // A client with the earliest of the clocks keeps a token for good the longest.
                let good = real < *expires_at + LEEWAY;
                for copy in &copies {
                    prop_assert!(!good || copy.kids.contains(kid), "{kid} in a copy at step {step}");
                }
            }
            real += Duration::from_secs(37);
        }
        prop_assert!(made >= 3 && stored.keys.len() <= 4, "{made} keys, {:?}", kids(&stored));
    }
}
