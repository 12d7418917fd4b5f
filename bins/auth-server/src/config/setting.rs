//! The declaration of a setting: its name, rule, default and description in one place.
//!
//! Each section of the configuration declares its settings as `static` items of these types. The reader, the check for
//! misspelt variables, the error messages and `docs/SETTINGS.md` all use them.

use std::borrow::Cow;

use super::profile::Profile;

/// The rule that a value breaks, as the end of a sentence that begins with the name of the setting. It never quotes the value,
/// which may be a secret.
pub(super) type Rule = Cow<'static, str>;

/// The name and the description of a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declaration {
    /// The environment variable. Its key in the configuration file is the same word in lower case without `AUTH_`.
    pub(crate) variable: &'static str,
    /// Meaning of the setting, as a noun phrase.
    pub(super) meaning: &'static str,
    /// The accepted values, in a few words.
    pub(super) values: &'static str,
    /// Further sentences for the documentation; empty if there are none.
    pub(super) details: &'static str,
    /// The default as the documentation shows it. `None` shows the computed one.
    pub(super) default_text: Option<&'static str>,
    pub(super) form: Form,
}

/// The form in which a setting is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One value.
    Single,
    /// A list separated by commas, which may be a list in the configuration file.
    List,
    /// One secret value, which may be in a file that `file_variable` names.
    Secret { file_variable: &'static str },
}

impl Declaration {
    /// Declares a setting with one value and without description.
    pub(super) const fn new(variable: &'static str) -> Self {
        Self { variable, meaning: "", values: "", details: "", default_text: None, form: Form::Single }
    }

    /// Returns the variable that names a file with the value, if the setting is a secret.
    pub(crate) fn file_variable(&self) -> Option<&'static str> {
        match self.form {
            Form::Secret { file_variable } => Some(file_variable),
            Form::Single | Form::List => None,
        }
    }
}

/// A setting with a value of type `T`. Its default and its rule may depend on a `C`.
pub(crate) struct Setting<T, C = Profile> {
    pub(super) declaration: Declaration,
    pub(super) default: fn(C) -> T,
    /// Parses a value from which white space at both ends was removed.
    pub(super) parse: fn(&str, C) -> Result<T, Rule>,
    /// Writes a value so that `parse` reads it back.
    pub(super) show: fn(&T) -> String,
}

impl<T, C> Setting<T, C> {
    /// Returns the environment variable.
    pub(crate) fn variable(&self) -> &'static str {
        self.declaration.variable
    }
}

impl Setting<bool> {
    /// Declares a setting that is on or off.
    pub(super) const fn on_or_off(declaration: Declaration, default: fn(Profile) -> bool) -> Self {
        let declaration = Declaration { values: "`on` or `off`", ..declaration };
        Self {
            declaration,
            default,
            parse: |text, _| match text {
                "on" | "true" | "1" | "yes" => Ok(true),
                "off" | "false" | "0" | "no" => Ok(false),
                _ => Err("must be on or off".into()),
            },
            show: |on| if *on { "on" } else { "off" }.to_owned(),
        }
    }
}

/// The values that the default and the rule of a setting depend on.
pub(super) trait Context: Copy {
    /// Returns the context of a configuration in which nothing is set but the profile.
    fn of(profile: Profile) -> Self;
}

impl Context for Profile {
    fn of(profile: Profile) -> Self {
        profile
    }
}

impl Context for () {
    fn of(_: Profile) -> Self {}
}

/// A setting of any type, as the documentation needs it.
pub(super) trait Documented: Sync {
    fn declaration(&self) -> &Declaration;

    /// Returns the default in this profile; an empty string if there is none.
    fn default_in(&self, profile: Profile) -> String;
}

impl<T, C: Context> Documented for Setting<T, C> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    fn default_in(&self, profile: Profile) -> String {
        (self.show)(&(self.default)(C::of(profile)))
    }
}

/// A setting that its section reads with code of its own.
impl Documented for Declaration {
    fn declaration(&self) -> &Declaration {
        self
    }

    fn default_in(&self, _: Profile) -> String {
        String::new()
    }
}

/// A group of settings, in the order in which the documentation shows them.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) settings: &'static [&'static dyn Documented],
}
