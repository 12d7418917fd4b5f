//! The identity of an open SQLite file.
//!
//! An open file stays open when its path comes to name another file, or none: SQLite would go on reading and writing a file that no
//! other process sees, while new connections open the new one. So each call checks that the path still leads to the file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sea_orm::sqlx;

/// The file of a database, with the identity that it had when it was opened.
#[derive(Debug, Clone)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// Known once the file is open, and not before: an overlay file system, as containers have, gives a file another number when it
    /// is first opened for writing.
    identity: Arc<OnceLock<Identity>>,
}

impl DatabaseFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: Arc::default() }
    }

    /// Checks that the path leads to the same file as at the first check.
    pub(super) fn check(&self) -> Result<(), FileWasReplaced> {
        let identity = identity(&self.path).map_err(|_| FileWasReplaced)?;
        if *self.identity.get_or_init(|| identity) == identity { Ok(()) } else { Err(FileWasReplaced) }
    }

    /// The same check for a new connection, with an error of the driver.
    pub(super) fn check_connection(&self) -> Result<(), sqlx::Error> {
        self.check().map_err(|error| sqlx::Error::Io(io::Error::other(error)))
    }
}

/// Device and number of a file. No other file gets them while the file is open.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Nothing, where an open file can be neither removed nor renamed.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(drop)
}

/// The path of the database file leads to another file, or to none.
#[derive(Debug, thiserror::Error)]
#[error("the database file was moved, removed or replaced while it was open: stop every node before a restore")]
pub(super) struct FileWasReplaced;
