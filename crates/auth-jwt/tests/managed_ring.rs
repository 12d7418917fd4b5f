//! Managed keys as several nodes use them, with a clock that a test moves.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use auth_core::keys::{KeyState, KeyStore as _, ManagedKey};
use auth_core::{AuthenticateError, Clock as _, KeyAlgorithm, TokenCodec as _};
use auth_jwt::{JwtCodec, KeyChange, ManagedKeys, ManagedKeysError, MasterKeys, PrivateKey, SealError};
use serde_json::Value;

use crate::nodes::{SCHEDULE, System, kid_of, master};

mod nodes;

fn published(node: &ManagedKeys) -> Vec<String> {
    let document: Value = serde_json::from_str(node.jwks().unwrap().as_json()).unwrap();
    let keys = document["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn states(node: &ManagedKeys) -> Vec<(KeyState, usize)> {
    node.stats().states.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn a_key_is_published_signs_verifies_and_goes_and_no_token_is_refused_meanwhile() {
    use KeyState::{Published, Signing, Verifying};
    let system = System::new();
    let (one, other) = (system.node().await, system.node().await);
    assert_eq!((states(&one), published(&one)), (vec![(Signing, 1)], published(&other)), "one node made the key");
    let first = published(&one)[0].clone();

    system.clock.advance(SCHEDULE.rotation);
    let signs_from = system.clock.now() + SCHEDULE.wait();
    let changes = one.sync().await.unwrap();
    let [KeyChange::Published { kid: second, signs_from: said }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((*said, other.sync().await.unwrap()), (signs_from, vec![]), "the other only reads");
    assert_eq!((states(&other), published(&other).len()), (vec![(Published, 1), (Signing, 1)], 2));
    assert_eq!(kid_of(&system.sign(&one)), first);

    system.clock.advance(SCHEDULE.wait().saturating_sub(Duration::from_secs(1)));
    let last = system.sign(&one);
    system.clock.advance(Duration::from_secs(1));
    assert_eq!(one.sync().await.unwrap(), [KeyChange::Signing { kid: second.clone() }]);
    let new = system.sign(&one);
    assert_eq!((kid_of(&last), kid_of(&new)), (first.clone(), second.clone()));
    // The other node has not read since the key was published, and knows it all the same.
    assert_eq!((system.check(&other, &new).await, system.check(&other, &last).await), ("good", "good"));
    assert_eq!(states(&one), [(Signing, 1), (Verifying, 1)]);

    system.clock.advance(SCHEDULE.keep());
    one.sync().await.unwrap();
    assert_eq!((states(&one), published(&one)), (vec![(Signing, 1)], vec![second.clone()]));
    assert_eq!(system.check(&one, &last).await, "invalid", "its key has gone, long after it expired");
}

#[tokio::test]
async fn a_failing_store_stops_neither_the_keys_in_use_nor_the_schedule() {
    let system = System::new();
    let node = system.node().await;
    let token = system.sign(&node);
    system.clock.advance(SCHEDULE.rotation);
    node.sync().await.unwrap();
    system.cut_off(true);
    system.clock.advance(SCHEDULE.wait());
    assert!(matches!(node.sync().await, Err(ManagedKeysError::Store(_))));
    assert_ne!(kid_of(&system.sign(&node)), kid_of(&token), "it signs with the key whose time has come");
    assert_eq!((node.is_ready(), node.stats().failures), (true, 1));
    system.cut_off(false);
    assert_eq!(node.sync().await.unwrap().len(), 1, "the change is reported by the next read that succeeds");
}

#[tokio::test]
async fn a_token_of_a_key_that_was_not_read_yet_is_decided_by_a_read_and_never_invalid_in_an_outage() {
    let system = System::new();
    let (one, other) = (system.node().await, system.node().await);
    let old = system.sign(&one);
    one.revoke(&kid_of(&old)).await.unwrap().unwrap();
    let new = system.sign(&one);
    assert_ne!(kid_of(&new), kid_of(&old), "the replacement signs at once");

    system.cut_off(true);
    assert_eq!(system.check(&other, &new).await, "unknown");
    system.cut_off(false);
    assert_eq!(system.check(&other, &new).await, "good");
    // With that read the key that was revoked has left the ring, and its verified tokens with it.
    let loads = system.loads();
    assert_eq!((system.check(&one, &old).await, system.check(&other, &old).await), ("invalid", "invalid"));
    assert_eq!(system.loads(), loads, "nobody waits for a key that is known to be revoked");
    assert!(!published(&other).contains(&kid_of(&old)));
}

#[tokio::test]
async fn a_token_whose_key_is_unknown_to_everybody_is_invalid_after_one_read() {
    let system = System::new();
    let (node, stranger) = (system.node().await, System::new());
    let forged = stranger.sign(&*stranger.node().await);
    let loads = system.loads();
    assert_eq!((system.check(&node, &forged).await, system.loads()), ("invalid", loads + 1));
    // A signature that is wrong, another type of token and another form of kid are decided without a read.
    let good = system.sign(&node);
    let (message, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = forged.rsplit_once('.').unwrap();
    for text in [&format!("{message}.{signature}"), "a.b.c", "", &good[..good.len() / 2]] {
        assert_eq!(system.check(&node, text).await, "invalid");
    }
    assert_eq!(system.loads(), loads + 1);
}

#[tokio::test]
async fn a_flood_of_made_up_keys_costs_one_read_in_a_cool_down() {
    let system = System::new();
    let (node, stranger) = (system.node().await, System::new());
    let (loads, begun) = (system.loads(), system.clock.monotonic());
    let mut checks = tokio::task::JoinSet::new();
    for _ in 0..500 {
        // A key of its own for every token.
        let key = PrivateKey::generate(KeyAlgorithm::EdDsa).unwrap().signing_key().unwrap();
        let codec = JwtCodec::new(key, "issuer", "audience");
        let token = codec.encode(&stranger.claims()).unwrap();
        let verifier = system.verifier(&node);
        checks.spawn(async move { verifier.authenticate(token.expose_token()).await });
    }
    while let Some(answer) = checks.join_next().await {
        assert!(matches!(answer.unwrap(), Err(AuthenticateError::Invalid)));
    }
    let (reads, took) = (system.loads() - loads, system.clock.monotonic().saturating_sub(begun));
    assert!(reads <= 2, "{reads} reads for 500 tokens");
    assert!(took >= SCHEDULE.poll, "{reads} reads in {took:?}");
    assert_eq!(system.check(&node, &system.sign(&node)).await, "good", "the good key was not evicted");
}

#[tokio::test]
async fn a_new_master_key_encrypts_what_the_previous_one_did_and_nodes_with_the_old_one_go_on() {
    let system = System::new();
    let old = system.node().await;
    let token = system.sign(&old);
    let changed = system.node_with(MasterKeys::new(master(2), Some(master(1))));
    assert_eq!(changed.sync().await.unwrap(), [KeyChange::Resealed(1), KeyChange::Signing { kid: kid_of(&token) }]);
    let new = system.node_with(MasterKeys::new(master(2), None));
    new.sync().await.unwrap();
    old.sync().await.unwrap();
    for node in [&old, &changed, &new] {
        assert_eq!((system.check(node, &token).await, node.is_ready()), ("good", true));
    }
    assert_eq!(old.reseal().await.unwrap_err().to_string(), format!("the key {} cannot be used", kid_of(&token)));
    assert_eq!(new.reseal().await.unwrap(), 0, "everything is encrypted with it");
}

#[tokio::test]
async fn a_key_that_cannot_be_decrypted_is_an_error_and_its_tokens_are_unknown_not_invalid() {
    let system = System::new();
    let token = system.sign(&*system.node().await);
    let other = system.node_with(MasterKeys::new(master(2), None));
    let error = other.sync().await.unwrap_err();
    let ManagedKeysError::Unusable { kid, reason } = error else { panic!("{error}") };
    assert_eq!((kid.as_str(), reason), (kid_of(&token).as_str(), SealError::OtherMasterKey(master(1).id())));
    assert_eq!((system.check(&other, &token).await, other.is_ready()), ("unknown", false));
    assert!(other.encode(&system.claims()).is_err());
    // An operator without the old master key revokes it.
    other.revoke(&kid).await.unwrap().unwrap();
    assert_eq!((system.check(&other, &token).await, other.is_ready()), ("invalid", true));
    assert_ne!(kid_of(&system.sign(&other)), kid);
}

#[tokio::test]
async fn a_row_of_the_store_that_was_exchanged_signs_and_verifies_nothing() {
    let system = System::new();
    let (node, stranger) = (system.node().await, System::new());
    let forged = stranger.sign(&*stranger.node().await);
    // The row has the public key and the kid of the stranger.
    let of_stranger = stranger.store.load().await.unwrap().keys.remove(0);
    let mut set = system.store.load().await.unwrap();
    let sealed = set.keys[0].sealed.clone();
    set.keys.push(ManagedKey { sealed, ..of_stranger });
    assert!(system.store.replace(&set).await.unwrap());
    assert!(matches!(node.sync().await, Err(ManagedKeysError::Unusable { reason: SealError::Altered, .. })));
    assert_eq!(system.check(&node, &forged).await, "unknown");
    assert!(!published(&node).contains(&kid_of(&forged)));
}

#[tokio::test]
async fn an_operator_publishes_a_key_before_its_time_once() {
    let system = System::new();
    let node = system.node().await;
    let key = node.rotate().await.unwrap();
    assert_eq!(key.signs_from, system.clock.now() + SCHEDULE.wait());
    let again = node.rotate().await.unwrap_err();
    assert!(matches!(&again, ManagedKeysError::AlreadyPublished { kid, .. } if *kid == key.kid), "{again}");
    // Over an empty store the first key is the one that is published.
    let empty = System::new();
    let first = empty.node_with(MasterKeys::new(master(1), None)).rotate().await.unwrap();
    assert_eq!((first.signs_from, empty.store.load().await.unwrap().keys.len()), (empty.clock.now(), 1));
}

#[tokio::test]
async fn a_revoked_key_is_replaced_only_if_no_other_can_sign() {
    let system = System::new();
    let node = system.node().await;
    let first = kid_of(&system.sign(&node));
    let successor = node.rotate().await.unwrap().kid;
    node.revoke(&first).await.unwrap().unwrap();
    assert_eq!(kid_of(&system.sign(&node)), successor, "the published key signs early");
    assert_eq!(system.store.load().await.unwrap().keys.len(), 2);
    node.revoke(&successor).await.unwrap().unwrap();
    assert_eq!(system.store.load().await.unwrap().keys.len(), 3, "a new key signs");
    assert_eq!(node.revoke("unknown").await.unwrap(), None);
}

#[test]
fn debug_shows_no_key() {
    let node = System::new().node_with(MasterKeys::new(master(1), None));
    let shown = format!("{node:?}");
    assert!(shown.starts_with("ManagedKeys") && !shown.contains("sealed"), "{shown}");
}
