//! Check of all templates with sample data.

use auth_core::letters::LetterKind;
use time::OffsetDateTime;

use super::{LetterData, TemplateError, Templates, letter_names};
use crate::link_base::page_of;

const LINK: &str = "https://auth.example/account/sample?token=rao_sample";

/// Renders every letter of every language, with a code and without.
pub(super) fn check(templates: &Templates) -> Result<(), TemplateError> {
    for letter in letter_names() {
        let kind = LetterKind::from_word(letter);
        let has_link = kind.and_then(page_of).is_some();
        for code in [Some("ABCD-2345"), None] {
            let data = LetterData {
                product: "Product",
                address: "ada@example.org",
                username: kind.map(|_| "Ada Lovelace"),
                link: has_link.then_some(LINK),
                code: code.filter(|_| has_link),
                expires_at: has_link.then_some(OffsetDateTime::UNIX_EPOCH),
            };
            check_letter(templates, letter, &data)?;
        }
    }
    Ok(())
}

fn check_letter(templates: &Templates, letter: &str, data: &LetterData<'_>) -> Result<(), TemplateError> {
    for language in templates.languages() {
        let wrong =
            |extension: &str, reason: &str| Err(TemplateError::new(format!("{language}/{letter}.{extension}"), reason));
        let words = templates.render(letter, language, data)?;
        if words.subject.is_empty() {
            return wrong("subject", "the subject is empty");
        }
        if words.text.trim().is_empty() {
            return wrong("txt", "the text is empty");
        }
        if words.html.trim().is_empty() {
            return wrong("html", "the text is empty");
        }
        let Some(link) = data.link else { continue };
        if !words.text.lines().any(|line| line.trim() == link) {
            return wrong("txt", "no line has the link, and nothing else: write {{ link }} on a line of its own");
        }
        if !words.html.replace("&#x2f;", "/").contains(link) {
            return wrong("html", "the link is missing: write <a href=\"{{ link }}\">");
        }
    }
    Ok(())
}
