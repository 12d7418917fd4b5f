//! The last good snapshot in a file, so that a follower that starts refuses at once what it refused before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::BoxError;
use auth_feed::Cursor;
use auth_feed::client::{Answer, FeedTransport};
use auth_feed::snapshot::SnapshotReader;
use tokio::task::spawn_blocking;

/// Transport that keeps the last snapshot in a file. The first snapshot that is asked for comes from the file, if it has one: pages
/// follow it if the server still has them, and otherwise the server's own snapshot. Neither makes anything fresh.
#[derive(Debug)]
pub(crate) struct SavedSnapshot {
    inner: Arc<dyn FeedTransport>,
    /// For renewals. A snapshot can take a minute, and pages do not wait for it.
    aside: Arc<dyn FeedTransport>,
    path: PathBuf,
    read: AtomicBool,
}

impl SavedSnapshot {
    /// Returns the transport `inner` with the snapshot in the file at `path`. `aside` leads to the same server over another connection.
    pub(crate) fn new(inner: Arc<dyn FeedTransport>, aside: Arc<dyn FeedTransport>, path: PathBuf) -> Self {
        Self { inner, aside, path, read: AtomicBool::new(false) }
    }

    /// Takes the snapshot from the server and saves it, beside the requests for pages.
    pub(crate) async fn renew(&self) -> Result<(), BoxError> {
        self.take(&*self.aside).await.map(drop)
    }

    async fn take(&self, transport: &dyn FeedTransport) -> Result<Answer, BoxError> {
        let answer = transport.snapshot().await?;
        if let Answer::Body { bytes, .. } = &answer {
            let (path, bytes) = (self.path.clone(), bytes.clone());
            if let Err(error) = spawn_blocking(move || save(&path, &bytes)).await? {
                self.warn(&error, "the snapshot of revocations was not saved");
            }
        }
        Ok(answer)
    }

    async fn load(&self) -> Option<Vec<u8>> {
        let path = self.path.clone();
        let loaded = spawn_blocking(move || load(&path)).await.map_err(io::Error::other).and_then(|loaded| loaded);
        match loaded {
            Ok(bytes) => return Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.warn(&error, "the saved snapshot of revocations is not used"),
        }
        None
    }

    fn warn(&self, error: &io::Error, what: &str) {
        tracing::warn!(error = error as &dyn std::error::Error, path = %self.path.display(), "{what}");
    }
}

#[async_trait]
impl FeedTransport for SavedSnapshot {
    async fn page(&self, after: &Cursor, wait: Duration) -> Result<Answer, BoxError> {
        self.inner.page(after, wait).await
    }

    async fn snapshot(&self) -> Result<Answer, BoxError> {
        if !self.read.swap(true, Ordering::AcqRel)
            && let Some(bytes) = self.load().await
        {
            return Ok(Answer::Body { bytes, age: Duration::MAX });
        }
        self.take(&*self.inner).await
    }
}

/// Reads the snapshot in a file that nobody but this user can have written: whoever writes it decides what is refused.
fn load(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let found = file.metadata()?;
        let denied = |reason| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        if found.uid() != rustix::process::geteuid().as_raw() {
            return denied("the file belongs to another user");
        }
        if found.permissions().mode() & 0o022 != 0 {
            return denied("others than its owner may write the file");
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    SnapshotReader::new(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(bytes)
}

/// Writes a snapshot to a file in one atomic step. Only its owner can read it. Bytes that are no snapshot leave the file as it is.
fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    SnapshotReader::new(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    // A draft of a process that was killed and had the same id is in the way.
    if let Err(error) = fs::remove_file(draft)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use auth_core::blacklist::{LogIdentity, Mark, Position, Purged};
    use auth_feed::Stamp;
    use auth_feed::snapshot::{SnapshotCounts, SnapshotHeader, SnapshotWriter};

    use super::*;

    fn snapshot(position: u64) -> Vec<u8> {
        let epoch = LogIdentity("67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap());
        let next = Cursor { epoch, position: Position(position), mark: Some(Mark(1)) };
        let stamp = Stamp { instance: epoch.0, uptime: Duration::ZERO, age: Duration::ZERO };
        let (head, purged, counts) = (next.position, Purged::default(), SnapshotCounts::default());
        SnapshotWriter::default().finish(&SnapshotHeader { stamp, head, purged, next, counts })
    }

    #[test]
    fn the_file_is_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for position in [1, 2] {
            save(&path, &snapshot(position)).unwrap();
            assert_eq!(load(&path).unwrap(), snapshot(position));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(save(&path, b"no snapshot").unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(load(&path).unwrap(), snapshot(2), "the last good one stays");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_that_others_may_write_or_that_is_cut_off_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(load(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        save(&path, &snapshot(1)).unwrap();
        for (mode, used) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load(&path).is_ok(), used, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let whole = snapshot(1);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(load(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
