use std::collections::BTreeSet;
use std::time::Duration;

use auth_core::blacklist::{LogIdentity, Mark, RevocationReason, RevocationTarget};
use auth_core::{Generation, Revocation};
use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;

fn header() -> SnapshotHeader {
    let instant = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    SnapshotHeader {
        stamp: Stamp {
            instance: Uuid::from_u128(7),
            uptime: Duration::from_millis(1_234),
            age: Duration::from_millis(56),
        },
        head: Position(900),
        purged: Purged { tokens: instant(1_700_000_000), users: instant(1_600_000_000) },
        next: Cursor { epoch: LogIdentity(Uuid::from_u128(9)), position: Position(900), mark: Some(Mark(0xabc)) },
        counts: SnapshotCounts::default(),
    }
}

fn revocation() -> impl Strategy<Value = Revocation> {
    // Few ids and hours, so that ids share bytes and entries repeat.
    let id = prop_oneof![(0_u128..40), (0_u128..40).prop_map(|id| id << 96), any::<u128>()].prop_map(Uuid::from_u128);
    (id, 0..4_u8, 1_u32..5, 0_i64..20_000, 0_i64..20_000).prop_map(|(id, kind, below, expires, revoked)| Revocation {
        target: match kind {
            0 => RevocationTarget::Token(id.into()),
            1 => RevocationTarget::Session(id.into()),
            2 => RevocationTarget::User { id: id.into(), below: Generation::new(below) },
            _ => RevocationTarget::Key(id.into()),
        },
        expires_at: OffsetDateTime::from_unix_timestamp(1_800_000_000 + expires).unwrap(),
        revoked_at: OffsetDateTime::from_unix_timestamp(1_793_000_000 + revoked).unwrap(),
        reason: RevocationReason::Logout,
    })
}

/// What a follower has to know of an entry: hours instead of seconds.
fn known(revocation: &Revocation) -> (Uuid, u8, u64, u64) {
    let hour = |instant: OffsetDateTime| u64::try_from(instant.unix_timestamp() / SECONDS_PER_HOUR).unwrap();
    let expires = hour(revocation.expires_at);
    match revocation.target {
        RevocationTarget::Token(id) => (id.as_uuid(), 0, expires, 0),
        RevocationTarget::Session(id) => (id.as_uuid(), 1, expires, hour(revocation.revoked_at)),
        RevocationTarget::User { id, .. } => (id.as_uuid(), 2, 0, 0),
        RevocationTarget::Key(id) => (id.as_uuid(), 3, 0, 0),
    }
}

fn written(revocations: &[Revocation]) -> Vec<u8> {
    let mut writer = SnapshotWriter::default();
    for revocation in revocations {
        writer.add(revocation);
    }
    writer.finish(&header())
}

fn read(bytes: &[u8]) -> Result<Vec<Revocation>, SnapshotError> {
    Ok(SnapshotReader::new(bytes)?.batches()?.flatten().collect())
}

/// Puts the right digest at the end of changed bytes, so that the reader looks at them.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    bytes.truncate(bytes.len() - DIGEST_BYTES);
    let digest: [u8; DIGEST_BYTES] = Sha256::digest(&bytes).into();
    bytes.extend_from_slice(&digest);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(revocations in proptest::collection::vec(revocation(), 0..200)) {
        let bytes = written(&revocations);
        let reader = SnapshotReader::new(&bytes).unwrap();
        let all = read(&bytes).unwrap();
        let expected: BTreeSet<_> = revocations.iter().map(known).collect();
        prop_assert_eq!(all.iter().map(known).collect::<BTreeSet<_>>(), expected);
        prop_assert_eq!(reader.header().counts.total(), all.len() as u64, "nothing comes twice");
        prop_assert_eq!(reader.header(), &SnapshotHeader { counts: reader.header().counts, ..header() });
        for revocation in &revocations {
            let covered = all.iter().any(|read| match (read.target, revocation.target) {
                (RevocationTarget::User { id, below }, RevocationTarget::User { id: other, below: least }) => {
                    id == other && below >= least && known(&Revocation { target: RevocationTarget::Token(id.as_uuid().into()), ..*read })
                        >= known(&Revocation { target: RevocationTarget::Token(id.as_uuid().into()), ..*revocation })
                }
                _ => known(read) == known(revocation),
            });
            prop_assert!(covered, "{revocation:?}");
        }
    }

    #[test]
    fn no_changed_or_cut_snapshot_is_accepted(
        revocations in proptest::collection::vec(revocation(), 0..50),
        place in any::<proptest::sample::Index>(),
        change in 1_u8..,
    ) {
        let bytes = written(&revocations);
        prop_assert!(read(&bytes[..place.index(bytes.len())]).is_err());
        let mut changed = bytes;
        let place = place.index(changed.len());
        changed[place] ^= change;
        prop_assert!(read(&changed).is_err());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        revocations in proptest::collection::vec(revocation(), 0..50),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = written(&revocations);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = read(&signed(bytes));
    }
}

#[test]
fn a_million_random_ids_take_at_most_15_bytes_each() {
    let mix = |number: u128| number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let ids: Vec<Id> = (0..1_000_000).map(|number| mix(mix(number).rotate_left(64)).to_be_bytes()).collect();
    let mut writer = SnapshotWriter::default();
    writer.add_tokens(500_000, &ids);
    let bytes = writer.finish(&header());
    assert!(bytes.len() <= 15_001_000, "{} bytes", bytes.len());
    let reader = SnapshotReader::new(&bytes).unwrap();
    assert_eq!(reader.batches().unwrap().map(|batch| batch.len()).sum::<usize>(), 1_000_000);
}

#[test]
fn another_version_is_refused() {
    let mut bytes = written(&[]);
    bytes[4] = 2;
    assert!(matches!(read(&signed(bytes)), Err(SnapshotError::Magic)));
}

#[test]
fn a_session_that_expires_long_after_its_end_is_refused() {
    for (expiry, is_read) in [(502_165, true), (502_166, false)] {
        let mut writer = SnapshotWriter::default();
        writer.add_sessions(expiry, 500_000, &[[1; 16]]);
        let bytes = writer.finish(&header());
        let read = SnapshotReader::new(&bytes).and_then(|reader| reader.batches().map(Iterator::count));
        assert_eq!(read.is_ok(), is_read, "{expiry}: {read:?}");
    }
}
