//! Errors and warnings of a configuration, collected so that all of them are reported at once.

use std::fmt;

/// One error of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable to change.
    pub variable: &'static str,
    /// The rule that its value breaks. It never quotes the value.
    pub rule: String,
}

impl Problem {
    pub(super) fn new(variable: &'static str, rule: impl Into<String>) -> Self {
        Self { variable, rule: rule.into() }
    }
}

/// All errors of a configuration, with its warnings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    errors: Vec<Problem>,
    warnings: Vec<String>,
    notices: Vec<String>,
}

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        self.errors.push(problem);
    }

    /// Adds a warning. It is no error by itself but may explain one, as a misspelt variable does.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Adds a notice: something that a good configuration leaves out on purpose or not.
    pub(super) fn note(&mut self, notice: impl Into<String>) {
        self.notices.push(notice.into());
    }

    /// Returns the errors.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.errors.iter()
    }

    /// Returns what `make` makes of the warnings and the notices, if there are no errors.
    ///
    /// # Errors
    ///
    /// The errors, if there are any.
    pub(super) fn into_result<T>(self, make: impl FnOnce(Vec<String>, Vec<String>) -> T) -> Result<T, Self> {
        if self.errors.is_empty() { Ok(make(self.warnings, self.notices)) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.errors.iter().try_for_each(|problem| write!(f, "\n  {}: {}", problem.variable, problem.rule))?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl std::error::Error for Problems {}
