//! The mailer that shows letters in the log.

use std::io;
use std::path::Path;

use async_trait::async_trait;
use auth_core::letters::{Letter, Mailer, SendError};

use crate::composed_letter::ComposedLetter;
use crate::composer::Composer;
use crate::deliver::Deliver;
use crate::letter_folder::LetterFolder;

/// Mailer for development: a line of the log (`tracing`, level INFO, target `auth_mail`) shows address, link and code of each letter, and a
/// file to open in a browser has its HTML part.
///
/// The log has secrets then. A server for real users must not use it.
#[derive(Debug, Clone)]
pub struct LogMailer {
    composer: Composer,
    folder: LetterFolder,
}

impl LogMailer {
    /// Returns a mailer that writes the HTML parts to this folder, which is made if it is not there.
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
impl Mailer for LogMailer {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let letter = self.composer.compose(letter).map_err(|error| SendError::Permanent(error.into()))?;
        self.deliver(&letter).await
    }
}

#[async_trait]
impl Deliver for LogMailer {
    async fn deliver(&self, letter: &ComposedLetter) -> Result<(), SendError> {
        let written = self.folder.write(letter, "html", letter.html().into()).await;
        let page = written.map_err(|error| SendError::Temporary(error.into()))?;
        tracing::info!(
            target: "auth_mail",
            to = %letter.to(),
            letter = letter.name(),
            subject = letter.subject(),
            link = letter.link(),
            code = letter.code(),
            page = %page.display(),
            "letter"
        );
        Ok(())
    }
}
