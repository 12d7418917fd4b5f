//! A folder with letters in files.

use std::fs::{DirBuilder, File, rename};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use time::UtcOffset;
use tokio::task::spawn_blocking;

use crate::composed_letter::ComposedLetter;

/// A folder with letters in files, which only the user of the process may read.
#[derive(Debug, Clone)]
pub(crate) struct LetterFolder(PathBuf);

impl LetterFolder {
    /// Makes the folder, unless it is there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self(folder.canonicalize()?))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file about a letter, whole or not at all, and returns its path. A further attempt at the letter replaces it.
    pub(crate) async fn write(&self, letter: &ComposedLetter, extension: &str, bytes: Vec<u8>) -> io::Result<PathBuf> {
        let path = self.0.join(format!("{}.{extension}", stem(letter)));
        let target = path.clone();
        let written = spawn_blocking(move || {
            let unfinished = target.with_added_extension("part");
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            file.write_all(&bytes)?;
            rename(&unfinished, &target)
        });
        written.await.map_err(io::Error::other)??;
        Ok(path)
    }
}

/// Returns the name of the files of a letter without an extension: time, kind and id, so that a listing is in the order of writing.
fn stem(letter: &ComposedLetter) -> String {
    let at = letter.written_at.to_offset(UtcOffset::UTC);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z-{}-{}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        letter.name,
        letter.id,
    )
}
