//! The rules of [`KeyStore`]. They need [`Backend::keys`].

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::{Position, RevocationTarget};
use auth_core::keys::{KeyAlgorithm, KeySet, KeyStore, ManagedKey};
use auth_core::{Claims, Generation, KeyId, Revocation, StoreErrorKind};
use time::OffsetDateTime;

use super::cancellation::patience;
use super::executor::{give_up_after, race};
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::samples::{claims_of, covers, instant, some_id, unexpected, whole};
use super::{Backend, CheckError, Row, StoresUnderTest, ensure, rules};

rules! { ($) __conformance_keys:
    keys_are_kept_exactly:
        "a set of keys is read back exactly as written, in order, and an empty store is an empty set of version zero",
        "a key signs at a wrong time, or its tokens cannot be verified";
    replacement_needs_the_version:
        "a set is replaced as a whole, only from its own version, and its version is one more then",
        "two nodes rotate at once, and one of the keys is lost while its tokens are in use";
    one_replacement_wins:
        "of many replacements of one version exactly one succeeds",
        "every node makes a key of its own at the same moment";
    key_revocation_has_an_entry:
        "a revocation of a key is appended to the log once, covers its tokens and no others, and the first one stays",
        "a key is revoked and its tokens are accepted";
    replacement_comes_with_the_revocation:
        "the replacement of a revoked key is added once, with the revocation, and an unknown key changes nothing",
        "no key is left that can sign, or a repetition adds a key for every try";
    keys_are_seen_by_other_nodes:
        "keys that one node has written or revoked are so for every other node at once",
        "a node signs with a key that another node has revoked";
    abandoned_key_revocation_is_whole_or_nothing:
        "a revocation of a key that is given up half-way has marked the key and appended its entry, or neither",
        "the key looks revoked and its tokens are accepted everywhere";
    keys_in_an_outage_are_unknown:
        "a store of keys that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like a store without keys, and a new key is made that nobody knows";
    damaged_keys_are_an_error:
        "a row that makes no key is an error of kind Corrupt",
        "a key is left out, and its tokens are refused";
}

fn at(seconds: u64) -> OffsetDateTime {
    instant() + Duration::from_secs(seconds)
}

fn key(kid: &str, seconds: u64) -> ManagedKey {
    ManagedKey {
        kid: kid.to_owned(),
        algorithm: KeyAlgorithm::EdDsa,
        sealed: vec![0, 1, 2, 255],
        public_jwk: format!(r#"{{"kid":"{kid}"}}"#),
        published_at: at(seconds),
        signs_from: at(seconds),
        signs_until: None,
        verifies_until: None,
        revoked_at: None,
    }
}

async fn open(backend: &dyn Backend) -> Result<(StoresUnderTest, Arc<dyn KeyStore>), CheckError> {
    let stores = backend.open().await;
    let keys = backend.keys().await.ok_or(CheckError::NotTried("Backend::keys says that there is none"))?;
    Ok((stores, keys))
}

/// Writes these keys into a store that holds none.
async fn fill(keys: &dyn KeyStore, all: Vec<ManagedKey>) -> Result<(), CheckError> {
    let written = keys.replace(&KeySet { version: 0, keys: all }).await.map_err(unexpected)?;
    ensure!(written, "the first keys were not written");
    Ok(())
}

fn token_of(kid: &str) -> Result<Claims, CheckError> {
    let claims = claims_of(some_id()?, Generation::default())?;
    Ok(Claims { key_id: Some(KeyId::of_kid(kid)), expires_at: at(600), ..claims })
}

async fn keys_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, keys) = open(backend).await?;
    let empty = keys.load().await.map_err(unexpected)?;
    ensure!(empty == KeySet::default(), "an empty store holds {empty:?}");
    let part = Duration::from_micros(123_456);
    let old = ManagedKey {
        algorithm: KeyAlgorithm::Rs256,
        sealed: (0..2_000_u32).map(|number| number.to_le_bytes()[0]).collect(),
        public_jwk: format!(r#"{{"n":"{}"}}"#, "x".repeat(700)),
        signs_from: at(5) + part,
        signs_until: Some(at(10) + part),
        verifies_until: Some(at(20) + part),
        revoked_at: Some(at(30) + part),
        ..key(&"k".repeat(43), 4)
    };
    let all = vec![old, ManagedKey { algorithm: KeyAlgorithm::Es256, ..key("A-_b", 10) }, key("a-_b", 10)];
    fill(&*keys, all.iter().rev().cloned().collect()).await?;
    let read = keys.load().await.map_err(unexpected)?;
    let same = read.version == 1 && read.keys == all && read.keys[0].sealed == all[0].sealed;
    ensure!(same, "wrote {all:?} and read {read:?}");
    Ok(())
}

async fn replacement_needs_the_version(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, keys) = open(backend).await?;
    fill(&*keys, vec![key("one", 1), key("two", 2)]).await?;
    for version in [0, 2, 9] {
        let stale = KeySet { version, keys: vec![key("stale", 3)] };
        ensure!(!keys.replace(&stale).await.map_err(unexpected)?, "version {version} replaced version 1");
    }
    let mut next = keys.load().await.map_err(unexpected)?;
    next.keys = vec![ManagedKey { signs_until: Some(at(9)), ..key("two", 2) }, key("three", 3)];
    ensure!(keys.replace(&next).await.map_err(unexpected)?, "the version that was read was refused");
    let read = keys.load().await.map_err(unexpected)?;
    let expected = KeySet { version: 2, ..next };
    ensure!(read == expected, "replaced by {expected:?} and read {read:?}");
    let none = KeySet { version: 2, keys: Vec::new() };
    ensure!(keys.replace(&none).await.map_err(unexpected)?, "all keys could not be removed");
    let read = keys.load().await.map_err(unexpected)?;
    ensure!(read == KeySet { version: 3, keys: Vec::new() }, "without keys the set is {read:?}");
    Ok(())
}

async fn one_replacement_wins(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, keys) = open(backend).await?;
    fill(&*keys, vec![key("first", 1)]).await?;
    let rivals = (0..8).map(|rival| {
        let keys = Arc::clone(&keys);
        let set = KeySet { version: 1, keys: vec![key("first", 1), key(&format!("rival{rival}"), 2)] };
        async move { keys.replace(&set).await.map(|won| (won, set)) }
    });
    let mut winners = Vec::new();
    for outcome in race(backend, rivals).await? {
        let (won, set) = outcome.map_err(unexpected)?;
        winners.extend(won.then_some(set.keys));
    }
    let read = keys.load().await.map_err(unexpected)?;
    ensure!(winners == [read.keys.clone()] && read.version == 2, "{} won and the set is {read:?}", winners.len());
    Ok(())
}

async fn key_revocation_has_an_entry(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, keys) = open(backend).await?;
    fill(&*keys, vec![key("one", 1), key("two", 2)]).await?;
    let expected = Revocation::of_key("one", at(50));
    for later in [at(50), at(70)] {
        let entry = keys.revoke("one", later, None).await.map_err(unexpected)?;
        ensure!(entry == Some(expected), "a revocation returned {entry:?} in place of {expected:?}");
        let (head, entries) = whole(&*stores.log).await?;
        let in_log = entries.len() == 1 && entries[0].1 == expected;
        ensure!(head == Position(1) && in_log, "after a revocation the log is {head:?}, {entries:?}");
    }
    let read = keys.load().await.map_err(unexpected)?;
    ensure!(read.keys[0].revoked_at == Some(at(50)), "the key is {:?}", read.keys[0]);
    ensure!(read.version == 2, "a revocation and its repetition gave the version {}", read.version);
    ensure!(covers(&*stores.log, &token_of("one")?).await?, "a token of the revoked key is good");
    ensure!(!covers(&*stores.log, &token_of("two")?).await?, "a token of another key is covered");
    Ok(())
}

async fn replacement_comes_with_the_revocation(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, keys) = open(backend).await?;
    fill(&*keys, vec![key("one", 1)]).await?;
    let before = keys.load().await.map_err(unexpected)?;
    let unknown = keys.revoke("nobody", at(50), Some(key("new", 50))).await.map_err(unexpected)?;
    ensure!(unknown.is_none(), "an unknown key was revoked: {unknown:?}");
    let after = keys.load().await.map_err(unexpected)?;
    ensure!(after == before, "the revocation of an unknown key left {after:?}");
    let (head, entries) = whole(&*stores.log).await?;
    ensure!(head == Position(0) && entries.is_empty(), "an unknown key left the log as {head:?}, {entries:?}");
    for (new, seconds) in [("new", 50), ("newer", 60)] {
        keys.revoke("one", at(seconds), Some(key(new, seconds))).await.map_err(unexpected)?;
    }
    let read = keys.load().await.map_err(unexpected)?;
    let expected = vec![ManagedKey { revoked_at: Some(at(50)), ..key("one", 1) }, key("new", 50)];
    ensure!(read.keys == expected, "after two revocations of a key the set is {read:?}");
    Ok(())
}

async fn keys_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let ((_, near), (_, far)) = (open(backend).await?, open(backend).await?);
    let empty = far.load().await.map_err(unexpected)?;
    ensure!(empty.keys.is_empty(), "another node sees {empty:?}");
    fill(&*near, vec![key("one", 1)]).await?;
    let seen = far.load().await.map_err(unexpected)?;
    ensure!(seen.keys == [key("one", 1)], "another node sees {seen:?}");
    far.revoke("one", at(5), None).await.map_err(unexpected)?;
    let seen = near.load().await.map_err(unexpected)?;
    ensure!(seen.keys[0].revoked_at == Some(at(5)), "another node does not see the revocation: {seen:?}");
    Ok(())
}

async fn abandoned_key_revocation_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, keys) = open(backend).await?;
    for turns in patience() {
        let kid = format!("key{turns}");
        let mut set = keys.load().await.map_err(unexpected)?;
        set.keys = vec![key(&kid, 1)];
        ensure!(keys.replace(&set).await.map_err(unexpected)?, "the keys were not replaced");
        let finished = give_up_after(turns, keys.revoke(&kid, at(5), None)).await;
        // The revocation may still be under way: it is looked for in the log before and after the key was read.
        let logged = async || -> Result<bool, CheckError> {
            let (_, entries) = whole(&*stores.log).await?;
            Ok(entries.iter().any(|(_, entry)| entry.target == RevocationTarget::Key(KeyId::of_kid(&kid))))
        };
        let before = logged().await?;
        let read = keys.load().await.map_err(unexpected)?;
        let revoked = read.find(&kid).is_some_and(|key| key.revoked_at.is_some());
        let after = logged().await?;
        ensure!(
            before != after || revoked == after,
            "given up after {turns} turns: revoked is {revoked}, and in the log is {after}"
        );
        if let Some(result) = finished {
            result.map_err(unexpected)?;
            return Ok(());
        }
        let again = keys.revoke(&kid, at(5), None).await.map_err(unexpected)?;
        ensure!(again.is_some(), "given up after {turns} turns and repeated, the revocation found no key");
    }
    Ok(())
}

async fn keys_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, keys) = open(backend).await?;
    fill(&*keys, vec![key("one", 1)]).await?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    let (kind, set) = (StoreErrorKind::Unavailable, KeySet { version: 1, keys: Vec::new() });
    failed("load", kind, keys.load().await)?;
    failed("replace", kind, keys.replace(&set).await)?;
    failed("revoke", kind, keys.revoke("one", at(1), None).await)
}

async fn damaged_keys_are_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, keys) = open(backend).await?;
    fill(&*keys, vec![key("one", 1)]).await?;
    if !backend.damage(Row::Keys).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("load", StoreErrorKind::Corrupt, keys.load().await)
}
