//! The last good snapshot in a file, so that a follower that starts refuses at once what it refused before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
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
    path: PathBuf,
    read: AtomicBool,
}

impl SavedSnapshot {
    pub(crate) fn new(inner: Arc<dyn FeedTransport>, path: PathBuf) -> Self {
        Self { inner, path, read: AtomicBool::new(false) }
    }

    /// Takes the snapshot from the server and saves it.
    pub(crate) async fn renew(&self) -> Result<Answer, BoxError> {
        let answer = self.inner.snapshot().await?;
        if let Answer::Body { bytes, .. } = &answer
            && SnapshotReader::new(bytes).is_ok()
        {
            let (path, bytes) = (self.path.clone(), bytes.clone());
            let saved = spawn_blocking(move || save(&path, &bytes)).await?;
            if let Err(error) = saved {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    path = %self.path.display(),
                    "the snapshot of revocations was not saved"
                );
            }
        }
        Ok(answer)
    }

    async fn load(&self) -> Option<Vec<u8>> {
        let path = self.path.clone();
        let loaded = spawn_blocking(move || load(&path)).await.map_err(io::Error::other).and_then(|loaded| loaded);
        let problem: BoxError = match loaded {
            Ok(bytes) => match SnapshotReader::new(&bytes).err() {
                None => return Some(bytes),
                Some(error) => error.into(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.into(),
        };
        tracing::warn!(error = &*problem, path = %self.path.display(), "the saved snapshot of revocations is not used");
        None
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
        self.renew().await
    }
}

/// Reads a file that nobody but its owner can have written: whoever writes it decides what is refused.
fn load(path: &Path) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if fs::metadata(path)?.permissions().mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others than its owner may write the file"));
        }
    }
    fs::read(path)
}

/// Writes a file in one atomic step. Only its owner can read it.
fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
