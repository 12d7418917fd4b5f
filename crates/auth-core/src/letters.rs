//! Letters: e-mails to the owners of accounts, the outbox in which they wait, and their delivery.

mod delivery;
mod language;
mod letter;
mod mailer;
mod options;
mod outbox;

pub use self::delivery::{
    DELIVERY_INTERVAL, Delivery, DeliveryStats, DeliveryStep, LETTER_BATCH, LETTER_LEASE, MAX_LETTER_AGE, UnsentLetter,
};
pub use self::language::{Language, LanguageError};
pub use self::letter::{Letter, LetterKind, LetterSecret};
pub use self::mailer::{Mailer, SendError};
pub use self::options::LetterOptions;
pub use self::outbox::{LeaseId, Leased, LeasedLetter, Outbox, OutboxStats, QueuedLetter};
pub use crate::ids::LetterId;
