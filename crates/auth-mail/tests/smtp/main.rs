//! Letters to a real SMTP server: `sink.py`, over aiosmtpd.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificate;
mod connections;
mod encryption;
mod letters;
mod refusals;
mod sink;

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use auth_core::letters::{Language, Letter, LetterId, LetterKind, LetterSecret, SendError};
use auth_core::recovery::{OneTimeCode, OneTimeToken};
use auth_core::{Email, UserId, Username};
use auth_mail::{Composer, LinkBase, ProductName, Sender, Templates};
use time::{Duration, OffsetDateTime};

/// 27 November 2026, 12:00 UTC.
fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_795_780_800).unwrap()
}

fn composer(product: &str) -> Composer {
    let sender = Sender::parse("Orchard <no-reply@bücher.example>").unwrap();
    let links = LinkBase::parse("https://auth.example/account").unwrap();
    let composer = Composer::new(sender, links, Templates::built_in().unwrap());
    composer.with_product_name(ProductName::parse(product).unwrap())
}

fn letter(kind: LetterKind, to: &str, username: &Username, language: &str) -> Letter {
    let has_link = !matches!(kind, LetterKind::PasswordChanged | LetterKind::EmailInUse);
    let has_code = has_link && kind != LetterKind::EmailChanged;
    let secret = LetterSecret {
        token: OneTimeToken::generate().unwrap(),
        code: has_code.then(|| OneTimeCode::generate().unwrap()),
        expires_at: noon() + Duration::HOUR,
    };
    Letter {
        id: LetterId::generate().unwrap(),
        kind,
        user_id: UserId::generate(noon()).unwrap(),
        to: Some(Email::parse(to).unwrap()),
        username: username.clone(),
        secret: has_link.then_some(secret),
        language: Language::parse(language).unwrap(),
        created_at: noon(),
    }
}

/// A letter to a new address.
fn any_letter() -> Letter {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let to = format!("reader{}@example.org", NUMBER.fetch_add(1, Ordering::Relaxed));
    letter(LetterKind::ResetPassword, &to, &Username::parse("ada").unwrap(), "en")
}

/// Returns an error with all its causes, as a log shows them.
fn whole(error: &SendError) -> String {
    let mut texts = vec![format!("{error:?} {error}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(format!("{error} {error:?}"));
        cause = error.source();
    }
    texts.join(": ")
}

fn is_temporary(outcome: &Result<(), SendError>) -> bool {
    matches!(outcome, Err(SendError::Temporary(_)))
}

fn is_permanent(outcome: &Result<(), SendError>) -> bool {
    matches!(outcome, Err(SendError::Permanent(_)))
}
