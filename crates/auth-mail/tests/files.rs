//! Letters in files and in the log.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use auth_core::letters::{Language, Letter, LetterId, LetterKind, LetterSecret, Mailer as _};
use auth_core::recovery::{OneTimeCode, OneTimeToken};
use auth_core::{Email, UserId, Username};
use auth_mail::{Composer, FileMailer, LinkBase, LogMailer, Sender, Templates};
use time::OffsetDateTime;

fn composer() -> Composer {
    let sender = Sender::parse("no-reply@auth.example").unwrap();
    Composer::new(sender, LinkBase::parse("https://auth.example").unwrap(), Templates::built_in().unwrap())
}

fn letter() -> Letter {
    let now = OffsetDateTime::from_unix_timestamp(1_795_780_800).unwrap();
    let secret = LetterSecret {
        token: OneTimeToken::generate().unwrap(),
        code: Some(OneTimeCode::generate().unwrap()),
        expires_at: now,
    };
    Letter {
        id: LetterId::generate().unwrap(),
        kind: LetterKind::VerifyEmail,
        user_id: UserId::generate(now).unwrap(),
        to: Some(Email::parse("ada@example.org").unwrap()),
        username: Username::parse("ada").unwrap(),
        secret: Some(secret),
        language: Language::default(),
        created_at: now,
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode_of(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_letter_is_a_message_and_a_page_that_others_cannot_read() {
    let temporary = tempfile::TempDir::new().unwrap();
    let mailer = FileMailer::new(&temporary.path().join("data/letters"), composer()).unwrap();
    let (letter, folder) = (letter(), mailer.folder());
    mailer.send(&letter).await.unwrap();
    mailer.send(&letter).await.unwrap();
    let stem = format!("20261127T120000Z-verify_email-{}", letter.id);
    assert_eq!(names_in(folder), [format!("{stem}.eml"), format!("{stem}.html")]);
    let composed = composer().compose(&letter).unwrap();
    assert_eq!(std::fs::read(folder.join(format!("{stem}.eml"))).unwrap(), composed.to_message().unwrap());
    assert_eq!(std::fs::read_to_string(folder.join(format!("{stem}.html"))).unwrap(), composed.html());
    assert_eq!(mode_of(folder), 0o700);
    assert!(names_in(folder).iter().all(|name| mode_of(&folder.join(name)) == 0o600));
}

#[tokio::test]
async fn a_folder_that_is_gone_is_no_reason_to_give_a_letter_up() {
    let temporary = tempfile::TempDir::new().unwrap();
    let mailer = FileMailer::new(&temporary.path().join("letters"), composer()).unwrap();
    std::fs::remove_dir(mailer.folder()).unwrap();
    let outcome = mailer.send(&letter()).await;
    assert!(matches!(outcome, Err(auth_core::letters::SendError::Temporary(_))), "{outcome:?}");
}

/// Keeps what a subscriber writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_shows_address_link_code_and_page() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::TempDir::new().unwrap();
    let mailer = LogMailer::new(folder.path(), composer()).unwrap();
    let letter = letter();
    mailer.send(&letter).await.unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let composed = composer().compose(&letter).unwrap();
    let page = mailer.folder().join(&names_in(mailer.folder())[0]);
    let (link, code) = (composed.link().unwrap(), composed.code().unwrap());
    for expected in ["INFO auth_mail", "to=ada@example.org", "verify_email", link, code, page.to_str().unwrap()] {
        assert!(text.contains(expected), "{text:?} has no {expected:?}");
    }
    assert!(!format!("{composed:?} {mailer:?}").contains("rao_") && !format!("{composed:?}").contains(code));
}
