//! Reads the value of one setting after another.

use super::problems::{Problem, Problems};
use super::setting::{Context, Declaration, Setting};
use super::sources::{OpenedSources, Origin};

/// A setting as it may be shown, with secrets redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The environment variable of the setting.
    pub variable: &'static str,
    /// The value in force, or a description of it.
    pub value: String,
    /// The source of the value.
    pub origin: Origin,
}

/// Reads settings and collects errors. After an error it goes on with the default, so that every error is found.
pub(super) struct Reader {
    pub(super) sources: OpenedSources,
    pub(super) problems: Problems,
    pub(super) effective: Vec<EffectiveSetting>,
}

impl Reader {
    pub(super) fn new(sources: OpenedSources, problems: Problems) -> Self {
        Self { sources, problems, effective: Vec::new() }
    }

    /// Reads a setting: its parsed value, or its default if it is not set or breaks its rule.
    pub(super) fn read<T, C: Context>(&mut self, setting: &Setting<T, C>, context: C) -> T {
        let parsed =
            self.text(&setting.declaration).and_then(|(text, origin)| match (setting.parse)(text.trim(), context) {
                Ok(value) => Some((value, origin)),
                Err(rule) => {
                    self.problem(setting.variable(), rule);
                    None
                }
            });
        let (value, origin) = parsed.unwrap_or_else(|| ((setting.default)(context), Origin::Default));
        self.show(setting.variable(), (setting.show)(&value), origin);
        value
    }

    /// Returns the text of a setting as it was given, and its source.
    pub(super) fn text(&mut self, declaration: &Declaration) -> Option<(String, Origin)> {
        self.sources.value(declaration, &mut self.problems)
    }

    /// Notes an error.
    pub(super) fn problem(&mut self, variable: &'static str, rule: impl Into<String>) {
        self.problems.push(Problem::new(variable, rule));
    }

    /// Notes the value that is in force.
    pub(super) fn show(&mut self, variable: &'static str, value: impl Into<String>, origin: Origin) {
        self.effective.push(EffectiveSetting { variable, value: value.into(), origin });
    }
}

/// Splits a list at its commas.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
