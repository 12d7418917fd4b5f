//! Where a SQLite file was when it was opened.
//!
//! A file that is open stays open when its name is given to another one, or to none: SQLite would go on reading and
//! writing what nobody else sees any more, while new connections open what is there now. So each call looks whether the
//! name still leads to the file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sea_orm::sqlx;

/// A file, and what tells it from others.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    /// Known once the file is open. Not before: a file system in layers, as containers have, gives a file another number when it
    /// is first opened for writing.
    identity: Arc<OnceLock<Identity>>,
}

impl Place {
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: Arc::default() }
    }

    /// Looks whether the file is where it was when this was asked for the first time.
    pub(super) fn check(&self) -> Result<(), FileWasReplaced> {
        let identity = identity(&self.path).map_err(|_| FileWasReplaced)?;
        if *self.identity.get_or_init(|| identity) == identity { Ok(()) } else { Err(FileWasReplaced) }
    }

    /// The same for a connection that has just been opened, as an error of the driver.
    pub(super) fn check_connection(&self) -> Result<(), sqlx::Error> {
        self.check().map_err(|error| sqlx::Error::Io(io::Error::other(error)))
    }
}

/// The number of a file is not given to another one while the file is open.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Where a file that is open can be neither removed nor renamed there is nothing to compare.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(drop)
}

/// The name of the database file leads to another file, or to none.
#[derive(Debug, thiserror::Error)]
#[error("the database file was moved, removed or replaced while it was open: stop every node before a restore")]
pub(crate) struct FileWasReplaced;
