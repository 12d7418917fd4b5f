//! The mailer that writes letters to files.

use std::io;
use std::path::Path;

use async_trait::async_trait;
use auth_core::letters::{Letter, Mailer, SendError};

use crate::composed_letter::ComposedLetter;
use crate::composer::Composer;
use crate::deliver::Deliver;
use crate::letter_folder::LetterFolder;

/// Mailer that writes each letter to a folder, for development and tests: the whole message as `.eml`, and its HTML part as `.html`.
///
/// Both have secrets in them. Folder and files can be read by the user of the process alone. Nothing removes them.
#[derive(Debug, Clone)]
pub struct FileMailer {
    composer: Composer,
    folder: LetterFolder,
}

impl FileMailer {
    /// Returns a mailer that writes to this folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn new(folder: &Path, composer: Composer) -> io::Result<Self> {
        Ok(Self { composer, folder: LetterFolder::open(folder)? })
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let letter = self.composer.compose(letter).map_err(|error| SendError::Permanent(error.into()))?;
        self.deliver(&letter).await
    }
}

#[async_trait]
impl Deliver for FileMailer {
    async fn deliver(&self, letter: &ComposedLetter) -> Result<(), SendError> {
        let message = letter.to_message().map_err(|error| SendError::Permanent(error.into()))?;
        let temporary = |error: io::Error| SendError::Temporary(error.into());
        self.folder.write(letter, "html", letter.html().into()).await.map_err(temporary)?;
        self.folder.write(letter, "eml", message).await.map_err(temporary)?;
        Ok(())
    }
}
