//! Writes every letter in every language to a folder, to look at templates: as `.eml` and as `.html` for a browser.
//!
//! ```text
//! cargo run -p auth-mail --example letters -- FOLDER [TEMPLATES]
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};

use auth_core::letters::{Language, Letter, LetterId, LetterKind, LetterSecret};
use auth_core::recovery::{OneTimeCode, OneTimeToken};
use auth_core::{Email, UserId, Username};
use auth_mail::{ComposedLetter, Composer, LinkBase, ProductName, Sender, Templates};
use time::{Duration, OffsetDateTime};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("usage: letters FOLDER [TEMPLATES]")?;
    let templates = arguments.next().map_or_else(Templates::built_in, |templates| Templates::load(&templates))?;
    let languages: Vec<Language> = templates.languages().cloned().collect();
    let sender = Sender::parse("Orchard <no-reply@orchard.example>")?;
    let composer = Composer::new(sender, LinkBase::parse("https://orchard.example/account")?, templates)
        .with_product_name(ProductName::parse("Orchard")?);
    let to = Email::parse("ada@example.org")?;
    std::fs::create_dir_all(&folder)?;
    for language in languages {
        for kind in LetterKind::ALL {
            write(&folder, &composer.compose(&letter(kind, &language, &to)?)?)?;
        }
        write(&folder, &composer.test(LetterId::generate()?, &to, &language, noon()?)?)?;
    }
    Ok(())
}

fn write(folder: &Path, letter: &ComposedLetter) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stem = format!("{}-{}", letter.language(), letter.name());
    std::fs::write(folder.join(format!("{stem}.html")), letter.html())?;
    std::fs::write(folder.join(format!("{stem}.eml")), letter.to_message()?)?;
    Ok(())
}

fn letter(kind: LetterKind, language: &Language, to: &Email) -> Result<Letter, Box<dyn Error + Send + Sync>> {
    let has_code = matches!(kind, LetterKind::VerifyEmail | LetterKind::ResetPassword | LetterKind::ChangeEmail);
    let has_link = has_code || kind == LetterKind::EmailChanged;
    let secret = LetterSecret {
        token: OneTimeToken::generate()?,
        code: has_code.then(OneTimeCode::generate).transpose()?,
        expires_at: noon()? + Duration::HOUR,
    };
    Ok(Letter {
        id: LetterId::generate()?,
        kind,
        user_id: UserId::generate(noon()?)?,
        to: Some(to.clone()),
        username: Username::parse("Ada Lovelace")?,
        secret: has_link.then_some(secret),
        language: language.clone(),
        created_at: noon()?,
    })
}

/// 27 November 2026, 12:00 UTC.
fn noon() -> Result<OffsetDateTime, time::error::ComponentRange> {
    OffsetDateTime::from_unix_timestamp(1_795_780_800)
}
