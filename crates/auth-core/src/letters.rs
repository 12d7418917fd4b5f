//! Letters: e-mails to the owners of accounts, the outbox in which they wait, and their delivery.

mod language;
mod letter;
mod mailer;
mod outbox;

pub use self::language::{Language, LanguageError};
pub use self::letter::{Letter, LetterId, LetterKind, LetterSecret};
pub use self::mailer::{Mailer, SendError};
pub use self::outbox::{LeaseId, Leased, LeasedLetter, Outbox, OutboxStats, QueuedLetter};
