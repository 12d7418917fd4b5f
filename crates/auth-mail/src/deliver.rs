//! The trait of a mailer that sends any composed letter.

use async_trait::async_trait;
use auth_core::letters::{Mailer, SendError};

use crate::composed_letter::ComposedLetter;

/// A mailer that also sends a letter that was composed before, such as [`Composer::test`](crate::Composer::test) makes.
#[async_trait]
pub trait Deliver: Mailer {
    /// Sends a composed letter.
    ///
    /// # Errors
    ///
    /// When the letter was not sent, or nobody can tell.
    async fn deliver(&self, letter: &ComposedLetter) -> Result<(), SendError>;
}
