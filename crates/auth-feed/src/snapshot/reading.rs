//! Reading of snapshots.

use auth_core::blacklist::{RevocationReason, RevocationTarget};
use auth_core::{BoxError, Generation, Revocation};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{DIGEST_BYTES, Id, MAGIC, SECONDS_PER_HOUR, SnapshotCounts, SnapshotHeader, WireHeader};
use crate::page_error::PageError;

/// Number of entries that a reader hands over at once.
const BATCH: usize = 4_096;

/// Error of bytes that are not a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It does not begin like a snapshot of this version.
    #[error("a snapshot begins with `RARS` and the version 1")]
    Magic,
    /// Its digest is wrong: it was cut off or changed on the way.
    #[error("the digest of the snapshot is wrong")]
    Digest,
    /// Its header is not JSON of the right form.
    #[error("the header of the snapshot cannot be read")]
    Form(#[source] BoxError),
    /// A field of its header breaks a rule.
    #[error("the header of the snapshot is broken")]
    Header(#[from] PageError),
    /// Its entries break a rule.
    #[error("the entries of the snapshot are broken: {0}")]
    Entries(&'static str),
}

/// Reader of a snapshot. The digest and the header are checked when it is made.
#[derive(Debug)]
pub struct SnapshotReader<'b> {
    header: SnapshotHeader,
    body: &'b [u8],
}

impl<'b> SnapshotReader<'b> {
    /// Returns a reader of these bytes.
    ///
    /// # Errors
    ///
    /// When the beginning, the digest or the header is wrong.
    pub fn new(bytes: &'b [u8]) -> Result<Self, SnapshotError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(SnapshotError::Magic)?;
        let (signed, digest) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(SnapshotError::Digest)?;
        let computed: [u8; DIGEST_BYTES] = Sha256::digest(signed).into();
        if computed != *digest || rest.len() < DIGEST_BYTES {
            return Err(SnapshotError::Digest);
        }
        let mut input = Input(&rest[..rest.len() - DIGEST_BYTES]);
        let length = input.count()?;
        let header: WireHeader =
            serde_json::from_slice(input.take(length)?).map_err(|error| SnapshotError::Form(error.into()))?;
        Ok(Self { header: header.read()?, body: input.0 })
    }

    /// Returns the header.
    #[must_use]
    pub fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// Hands over all entries, in batches. Expiries are at the beginning of their hour, and so are the times of revocations.
    ///
    /// # Errors
    ///
    /// When the entries break a rule of the format. Then nothing is handed over.
    pub fn read(&self, take: impl FnMut(&[Revocation])) -> Result<(), SnapshotError> {
        self.walk(|_| {})?;
        self.walk(take)
    }

    /// Reads all entries in batches, up to the first that breaks a rule.
    fn walk(&self, mut take: impl FnMut(&[Revocation])) -> Result<(), SnapshotError> {
        let mut input = Input(self.body);
        let mut counts = SnapshotCounts::default();
        let mut batch = Batch { held: Vec::with_capacity(BATCH), take: &mut take };
        for _ in 0..input.count()? {
            let expires_at = input.hour()?;
            counts.tokens += input.ids(|id| batch.push(RevocationTarget::Token(id.into()), expires_at, expires_at))?;
        }
        for _ in 0..input.count()? {
            let (expires_at, ended) = (input.hour()?, input.hour()?);
            counts.sessions += input.ids(|id| batch.push(RevocationTarget::Session(id.into()), expires_at, ended))?;
        }
        for _ in 0..input.count()? {
            let (id, below) = (Uuid::from_bytes(input.array()?), Generation::new(u32::from_be_bytes(input.array()?)));
            let expires_at = input.hour()?;
            batch.push(RevocationTarget::User { id: id.into(), below }, expires_at, expires_at);
            counts.users += 1;
        }
        for _ in 0..input.count()? {
            let id = Uuid::from_bytes(input.array()?);
            let expires_at = input.hour()?;
            batch.push(RevocationTarget::Key(id.into()), expires_at, expires_at);
            counts.keys += 1;
        }
        batch.hand_over();
        if !input.0.is_empty() {
            return Err(SnapshotError::Entries("nothing follows the keys"));
        }
        if counts != self.header.counts {
            return Err(SnapshotError::Entries("there are as many as the header says"));
        }
        Ok(())
    }
}

/// Entries that were read and not handed over yet.
struct Batch<'t, T> {
    held: Vec<Revocation>,
    take: &'t mut T,
}

impl<T: FnMut(&[Revocation])> Batch<'_, T> {
    fn push(&mut self, target: RevocationTarget, expires_at: OffsetDateTime, revoked_at: OffsetDateTime) {
        self.held.push(Revocation { target, expires_at, revoked_at, reason: RevocationReason::Logout });
        if self.held.len() == BATCH {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        (self.take)(&self.held);
        self.held.clear();
    }
}

/// Bytes that were not read yet.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], SnapshotError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(SnapshotError::Entries("none is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(SnapshotError::Entries("none is cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn count(&mut self) -> Result<usize, SnapshotError> {
        let count = u32::from_be_bytes(self.array()?);
        usize::try_from(count).map_err(|_| SnapshotError::Entries("their number fits into memory"))
    }

    /// Returns the beginning of an hour.
    fn hour(&mut self) -> Result<OffsetDateTime, SnapshotError> {
        let hour = i64::try_from(u64::from_be_bytes(self.array()?)).ok();
        let seconds = hour.and_then(|hour| hour.checked_mul(SECONDS_PER_HOUR));
        let instant = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        instant.ok_or(SnapshotError::Entries("an hour is before the year 10000"))
    }

    /// Reads the ids of a group and returns their number.
    fn ids(&mut self, mut each: impl FnMut(Uuid)) -> Result<u64, SnapshotError> {
        let count = self.count()?;
        let mut before: Option<Id> = None;
        for _ in 0..count {
            let [shared] = self.array()?;
            let shared = usize::from(shared);
            if shared > before.map_or(0, |_| Id::default().len() - 1) {
                return Err(SnapshotError::Entries("an id shares at most 15 bytes with the one before"));
            }
            let mut id = before.unwrap_or_default();
            id[shared..].copy_from_slice(self.take(Id::default().len() - shared)?);
            if before.is_some_and(|before| id <= before) {
                return Err(SnapshotError::Entries("the ids of a group ascend"));
            }
            each(Uuid::from_bytes(id));
            before = Some(id);
        }
        Ok(count as u64)
    }
}
