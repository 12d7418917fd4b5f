//! What templates get, and what they make.

use std::fmt;

use auth_core::letters::Language;
use minijinja::{Value, context};
use time::{OffsetDateTime, UtcOffset};

/// Data of a letter, as its templates need them.
pub(crate) struct LetterData<'a> {
    pub(crate) product: &'a str,
    pub(crate) address: &'a str,
    pub(crate) username: Option<&'a str>,
    pub(crate) link: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    pub(crate) expires_at: Option<OffsetDateTime>,
}

/// A letter in words.
pub(crate) struct Words {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl LetterData<'_> {
    /// Returns what a subject may say: nothing that comes from a user, and no secret.
    pub(super) fn for_subject(&self, language: &Language) -> Value {
        context! { product => self.product, language => language.as_str() }
    }

    pub(super) fn for_text(&self, language: &Language) -> Value {
        let expires = self.expires_at.map(|at| {
            let at = at.to_offset(UtcOffset::UTC);
            context! {
                year => at.year(),
                month => u8::from(at.month()),
                day => at.day(),
                time => format!("{:02}:{:02}", at.hour(), at.minute()),
            }
        });
        let username = self.username.map(unlinkable);
        context! {
            product => self.product,
            language => language.as_str(),
            address => self.address,
            username => username,
            link => self.link,
            code => self.code,
            expires => expires,
        }
    }

    pub(super) fn for_html(&self, language: &Language, subject: &str) -> Value {
        context! { subject => subject, ..self.for_text(language) }
    }
}

/// Word joiner: an invisible character that permits no line break (Unicode §23.2).
const WORD_JOINER: char = '\u{2060}';

/// Keeps programs from making a link of a name such as `evil.example`. Whoever registers the address of somebody else chooses the name, and
/// must not choose what that person clicks.
fn unlinkable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !c.is_control()) {
        text.push(c);
        if matches!(c, '.' | ':' | '/' | '@' | '．' | '。' | '｡' | '：' | '／' | '＠') {
            text.push(WORD_JOINER);
        }
    }
    text
}

impl fmt::Debug for LetterData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LetterData(<redacted>)")
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(<redacted>)")
    }
}
