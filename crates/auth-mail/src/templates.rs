//! Templates of letters: the built-in ones, and those of an operator.

mod built_in;
mod data;
mod folder;
mod samples;

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::path::Path;

use auth_core::letters::{Language, LetterKind};
use minijinja::{Environment, UndefinedBehavior};

pub(crate) use self::data::{LetterData, Words};

/// Name of the templates of the letter that an operator sends to see whether letters arrive.
pub(crate) const TEST_LETTER: &str = "test";

/// Upper bound on the steps of one template, so that a loop without an end is an error.
const MAX_STEPS: u64 = 200_000;

/// Templates of letters, in the language Jinja.
///
/// A letter in the language `LANG` has three: `LANG/KIND.subject`, `LANG/KIND.txt` and `LANG/KIND.html`, where `KIND` is the
/// [word](LetterKind::as_str) for its kind, or `test`. The built-in templates extend `LANG/layout.txt` and `LANG/layout.html`, which extend
/// `layout.txt` and `layout.html`. English (`en`) and Korean (`ko`) are built in.
///
/// | variable | value |
/// |---|---|
/// | `product` | name of the product |
/// | `language` | tag of the language of the template |
/// | `subject` | the rendered subject; in `.html` only |
/// | `address` | address that the letter goes to; not in `.subject` |
/// | `username` | name of the account, or none; not in `.subject` |
/// | `link` | the link, or none; not in `.subject` |
/// | `code` | the code, in two groups, or none; not in `.subject` |
/// | `expires` | end of link and code in UTC, or none: `year`, `month` (1 to 12), `day`, `time` (such as `04:10`); not in `.subject` |
///
/// What comes from users is not in reach of a subject, so that no header has it. In `.html` every value is escaped. A variable that does
/// not exist is an error.
pub struct Templates {
    environment: Environment<'static>,
    languages: BTreeSet<Language>,
}

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", AtLine(*line))]
#[non_exhaustive]
pub struct TemplateError {
    /// The file, relative to the folder of templates, or the folder itself.
    pub file: String,
    /// Number of the line, where that is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

struct AtLine(Option<usize>);

impl fmt::Display for AtLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

impl Templates {
    /// Returns the built-in templates.
    ///
    /// # Errors
    ///
    /// Never, unless a built-in template is broken; the tests of the crate render each of them.
    pub fn built_in() -> Result<Self, TemplateError> {
        Self::of_files(Vec::new())
    }

    /// Reads the templates of a folder. Each of its files takes the place of the built-in template with the same name. A folder of another
    /// language adds that language, and must have all its letters. Files whose name begins with `_` are for other templates to
    /// include. Names that begin with `.` are ignored.
    ///
    /// Every letter of every language is rendered with sample data, so that a broken template is found here and not when a user waits for a
    /// letter.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, a file has a name that no letter uses, a template of a language is missing, or a template is broken,
    /// leaves the link out, or makes a subject that is empty or has several lines.
    pub fn load(folder: &Path) -> Result<Self, TemplateError> {
        Self::of_files(folder::read(folder)?)
    }

    fn of_files(files: Vec<(String, String)>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(MAX_STEPS));
        // Errors of the check name the variable. Later ones would show the secrets of a letter with it.
        environment.set_debug(true);
        let mut languages = BTreeSet::new();
        let built_in = built_in::FILES.iter().map(|&(name, source)| (name.to_owned(), source.to_owned()));
        for (name, source) in built_in.chain(files) {
            if let Some(language) = language_of(&name) {
                languages.insert(language);
            }
            environment.add_template_owned(name, source).map_err(|error| TemplateError::of_engine(&error, ""))?;
        }
        let mut templates = Self { environment, languages };
        samples::check(&templates)?;
        templates.environment.set_debug(false);
        Ok(templates)
    }

    /// Returns the languages, in the order of their tags.
    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.languages.iter()
    }

    /// Returns the language in which a letter to a reader of `wanted` is written: that language, else its primary language, else English.
    #[must_use]
    pub fn language_for(&self, wanted: &Language) -> Language {
        let primary = Language::parse(wanted.primary()).unwrap_or_default();
        [wanted, &primary].into_iter().find(|language| self.languages.contains(language)).cloned().unwrap_or_default()
    }

    /// Renders a letter in a language that there is.
    pub(crate) fn render(
        &self,
        letter: &str,
        language: &Language,
        data: &LetterData<'_>,
    ) -> Result<Words, TemplateError> {
        let file = |extension| format!("{language}/{letter}.{extension}");
        let subject = one_line(&self.render_file(&file("subject"), data.for_subject(language))?);
        let text = without_gaps(&self.render_file(&file("txt"), data.for_text(language))?);
        let html = self.render_file(&file("html"), data.for_html(language, &subject))?;
        Ok(Words { subject, text, html })
    }

    fn render_file(&self, name: &str, data: minijinja::Value) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(name).and_then(|template| template.render(data));
        rendered.map_err(|error| TemplateError::of_engine(&error, name))
    }
}

impl TemplateError {
    fn new(file: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { file: file.into(), line: None, reason: reason.to_string() }
    }

    /// Takes over an error of the template engine. `file` is the one that was rendered, for an error that names none.
    fn of_engine(error: &minijinja::Error, file: &str) -> Self {
        // The innermost error names the file and line of the cause, which the file that was rendered may include or extend.
        let mut cause = error;
        while let Some(inner) = cause.source().and_then(|source| source.downcast_ref::<minijinja::Error>()) {
            cause = inner;
        }
        let detail = cause.detail().map_or_else(String::new, |detail| format!(": {detail}"));
        Self {
            file: cause.name().unwrap_or(file).to_owned(),
            line: cause.line(),
            reason: format!("{}{detail}", cause.kind()),
        }
    }
}

/// Returns the names of all letters: those of all kinds, and the test letter.
fn letter_names() -> impl Iterator<Item = &'static str> {
    LetterKind::ALL.into_iter().map(LetterKind::as_str).chain([TEST_LETTER])
}

fn language_of(name: &str) -> Option<Language> {
    let (folder, _) = name.split_once('/')?;
    Language::parse(folder).ok()
}

/// Replaces each run of white space and control characters by one space. No line of a header can begin or end in the result.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Removes spaces at the ends of lines, and blank lines beyond one in a row.
fn without_gaps(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_some_and(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("languages", &self.languages).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
