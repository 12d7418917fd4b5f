//! The trait of a mailer.

use std::fmt;

use async_trait::async_trait;

use super::letter::Letter;
use crate::error::BoxError;

/// Sends letters. The crate `auth-mail` has mailers for SMTP, for files and for the log.
#[async_trait]
pub trait Mailer: fmt::Debug + Send + Sync {
    /// Puts a letter into words and sends it. It returns when the next server has taken responsibility for the letter, and
    /// within a time limit of its own.
    ///
    /// The same letter may be sent again, with the same `Message-ID`, when the outcome of a first attempt is unknown.
    ///
    /// # Errors
    ///
    /// When the letter was not sent, or nobody can tell.
    async fn send(&self, letter: &Letter) -> Result<(), SendError>;
}

/// Reason that a letter was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A later attempt may succeed: the server could not be reached, did not answer in time, or refused for now.
    #[error("the letter could not be sent now")]
    Temporary(#[source] BoxError),
    /// No attempt will succeed: the server refused the letter for good, or it cannot be put into words.
    #[error("the letter was refused")]
    Permanent(#[source] BoxError),
}
