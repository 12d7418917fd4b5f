//! Reading of snapshots.

use std::time::Duration;
use std::{iter, slice};

use auth_core::blacklist::{RevocationReason, RevocationTarget};
use auth_core::{BoxError, Generation, Revocation};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{DIGEST_BYTES, Id, MAGIC, SECONDS_PER_HOUR, SnapshotCounts, SnapshotHeader, WireHeader};
use crate::entry::MAX_SESSION_ENTRY_LIFE;
use crate::page_error::PageError;

/// Number of entries of a batch.
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
        Self::with_digest(bytes, Sha256::digest(digested(bytes)).into())
    }

    /// Returns a reader of these bytes, of which this is the digest.
    pub(crate) fn with_digest(bytes: &'b [u8], computed: [u8; DIGEST_BYTES]) -> Result<Self, SnapshotError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(SnapshotError::Magic)?;
        let (rest, digest) = rest.split_last_chunk::<DIGEST_BYTES>().ok_or(SnapshotError::Digest)?;
        if computed != *digest {
            return Err(SnapshotError::Digest);
        }
        let mut input = Input(rest);
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

    /// Returns all entries, in batches, after it has checked all of them. Expiries are at the beginning of their hour, and so are
    /// the times of revocations. Many entries take long: let other tasks run between two batches.
    ///
    /// # Errors
    ///
    /// When an entry breaks a rule of the format.
    pub fn batches(&self) -> Result<impl Iterator<Item = Vec<Revocation>>, SnapshotError> {
        let mut counts = SnapshotCounts::default();
        let mut entries = Entries::new(self.body);
        while let Some(entry) = entries.next()? {
            *match entry.target {
                RevocationTarget::Token(_) => &mut counts.tokens,
                RevocationTarget::Session(_) => &mut counts.sessions,
                RevocationTarget::User { .. } => &mut counts.users,
                RevocationTarget::Key(_) => &mut counts.keys,
            } += 1;
        }
        if !entries.input.0.is_empty() {
            return Err(SnapshotError::Entries("nothing follows the keys"));
        }
        if counts != self.header.counts {
            return Err(SnapshotError::Entries("there are as many as the header says"));
        }
        let mut entries = Entries::new(self.body);
        Ok(iter::from_fn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            batch.extend(iter::from_fn(|| entries.next().ok().flatten()).take(BATCH));
            (!batch.is_empty()).then_some(batch)
        }))
    }
}

/// Returns the bytes of a snapshot that its digest is made of.
pub(crate) fn digested(snapshot: &[u8]) -> &[u8] {
    snapshot.split_last_chunk::<DIGEST_BYTES>().map_or(&[], |(digested, _)| digested)
}

/// Part of a snapshot that lists entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Tokens,
    Sessions,
    Users,
    Keys,
}

/// Entries that were not read yet.
#[derive(Debug)]
struct Entries<'b> {
    input: Input<'b>,
    /// Parts that have not begun.
    parts: slice::Iter<'static, Part>,
    part: Part,
    /// Groups of tokens or sessions, or single users or keys, of the part that have not begun.
    left: usize,
    group: Group,
}

/// Ids of a group that were not read yet.
#[derive(Debug)]
struct Group {
    left: usize,
    before: Option<Id>,
    expires_at: OffsetDateTime,
    revoked_at: OffsetDateTime,
}

impl<'b> Entries<'b> {
    fn new(body: &'b [u8]) -> Self {
        const PARTS: [Part; 4] = [Part::Tokens, Part::Sessions, Part::Users, Part::Keys];
        let (expires_at, revoked_at) = (OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH);
        let group = Group { left: 0, before: None, expires_at, revoked_at };
        Self { input: Input(body), parts: PARTS.iter(), part: Part::Tokens, left: 0, group }
    }

    /// Returns the next entry, or `None` after the last one.
    fn next(&mut self) -> Result<Option<Revocation>, SnapshotError> {
        loop {
            if self.group.left > 0 {
                return self.next_of_group().map(Some);
            }
            if self.left == 0 {
                let Some(part) = self.parts.next() else { return Ok(None) };
                (self.part, self.left) = (*part, self.input.count()?);
                continue;
            }
            self.left -= 1;
            match self.part {
                Part::Tokens => {
                    let hour = self.input.hour()?;
                    self.begin_group(hour, hour)?;
                }
                Part::Sessions => {
                    let (expires_at, revoked_at) = (self.input.hour()?, self.input.hour()?);
                    // Both are at the beginning of their hour.
                    if expires_at - revoked_at > MAX_SESSION_ENTRY_LIFE + Duration::from_hours(1) {
                        return Err(SnapshotError::Entries("a session expires at most 2165 hours after its end"));
                    }
                    self.begin_group(expires_at, revoked_at)?;
                }
                Part::Users => {
                    let id = Uuid::from_bytes(self.input.array()?).into();
                    let below = Generation::new(u32::from_be_bytes(self.input.array()?));
                    return Ok(Some(entry(RevocationTarget::User { id, below }, self.input.hour()?)));
                }
                Part::Keys => {
                    let id = Uuid::from_bytes(self.input.array()?).into();
                    return Ok(Some(entry(RevocationTarget::Key(id), self.input.hour()?)));
                }
            }
        }
    }

    fn begin_group(&mut self, expires_at: OffsetDateTime, revoked_at: OffsetDateTime) -> Result<(), SnapshotError> {
        self.group = Group { left: self.input.count()?, before: None, expires_at, revoked_at };
        Ok(())
    }

    fn next_of_group(&mut self) -> Result<Revocation, SnapshotError> {
        let group = &mut self.group;
        group.left -= 1;
        let id = self.input.id(group.before)?;
        group.before = Some(id);
        let id = Uuid::from_bytes(id);
        let target = match self.part {
            Part::Sessions => RevocationTarget::Session(id.into()),
            _ => RevocationTarget::Token(id.into()),
        };
        Ok(Revocation { revoked_at: group.revoked_at, ..entry(target, group.expires_at) })
    }
}

/// Returns an entry of which only the expiry is known. A follower needs no reason.
fn entry(target: RevocationTarget, expires_at: OffsetDateTime) -> Revocation {
    Revocation { target, expires_at, revoked_at: expires_at, reason: RevocationReason::Logout }
}

/// Bytes that were not read yet.
#[derive(Debug)]
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

    /// Reads an id of a group, after the one before.
    fn id(&mut self, before: Option<Id>) -> Result<Id, SnapshotError> {
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
        Ok(id)
    }
}
