//! The sources of settings: flags before the environment before the configuration file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::problems::{Problem, Problems};
use super::secret::shown_path;
use super::setting::{Declaration, Form};

/// The variable that names the configuration file. It is not a setting, because it says where settings are.
pub const CONFIG_VARIABLE: &str = "AUTH_CONFIG";

/// Prefix of the variables of this repository's tests, which are not reported as unknown.
const TEST_PREFIX: &str = "AUTH_TEST_";

/// Least similarity of a known name that is suggested for an unknown one.
const SIMILARITY: f64 = 0.85;

/// The text of every source. The environment is passed in, so that no test changes that of its process.
#[derive(Default)]
pub struct Sources {
    /// Values from the command line, by the variable of the setting.
    pub flags: BTreeMap<&'static str, String>,
    /// All variables of the environment that are UTF-8.
    pub env: BTreeMap<String, String>,
    /// Names of the variables of the environment whose value is not UTF-8.
    pub not_utf8: Vec<String>,
    /// The file of `--config`, which takes precedence over `AUTH_CONFIG`.
    pub config_file: Option<PathBuf>,
}

impl Sources {
    /// Returns the sources of this process, with these flags.
    #[must_use]
    pub fn from_process(flags: BTreeMap<&'static str, String>, config_file: Option<PathBuf>) -> Self {
        Self { flags, config_file, ..Self::with_env(std::env::vars_os()) }
    }

    /// Returns the sources of an environment alone.
    #[must_use]
    pub fn with_env(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut sources = Self::default();
        for (name, value) in variables {
            // No setting has a name that is not UTF-8. One that begins with `AUTH_` is reported as unknown.
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => drop(sources.env.insert(name, value)),
                Err(_) => sources.not_utf8.push(name),
            }
        }
        sources
    }

    /// Reads the configuration file, and reports names that belong to none of the `declarations`.
    pub(super) fn open(self, declarations: &[&'static Declaration], problems: &mut Problems) -> OpenedSources {
        for name in self.env.keys().chain(&self.not_utf8) {
            if name.starts_with("AUTH_")
                && !name.starts_with(TEST_PREFIX)
                && !known_variables(declarations).any(|known| known == name)
            {
                let hint = nearest(name, known_variables(declarations))
                    .map_or_else(String::new, |known| format!("; did you mean {known}?"));
                problems.warn(format!("{name} is not a setting and has no effect{hint}"));
            }
        }
        for variable in known_variables(declarations).filter(|known| self.not_utf8.iter().any(|name| name == known)) {
            problems.push(Problem::new(variable, "must be UTF-8"));
        }
        let path = self.config_file.clone().or_else(|| {
            let path = self.env.get(CONFIG_VARIABLE)?;
            (!path.is_empty()).then(|| PathBuf::from(path))
        });
        let file = path.map_or_else(BTreeMap::new, |path| read_file(&path, declarations, problems));
        OpenedSources { flags: self.flags, env: self.env, file }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        f.debug_struct("Sources").field("config_file", &self.config_file).finish_non_exhaustive()
    }
}

/// Returns the names of all variables that have an effect.
fn known_variables(declarations: &[&'static Declaration]) -> impl Iterator<Item = &'static str> {
    declarations
        .iter()
        .flat_map(|declaration| std::iter::once(declaration.variable).chain(declaration.file_variable()))
        .chain(std::iter::once(CONFIG_VARIABLE))
}

/// Returns the key of the configuration file that stands for `variable`.
fn file_key(variable: &str) -> String {
    variable.strip_prefix("AUTH_").unwrap_or(variable).to_ascii_lowercase()
}

/// Returns the known name that is most similar to `name`, if any is similar.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > SIMILARITY)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

fn read_file(path: &Path, declarations: &[&'static Declaration], problems: &mut Problems) -> BTreeMap<String, String> {
    let text = match text_of(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::new(CONFIG_VARIABLE, format!("cannot read {}: {error}", path.display())));
            return BTreeMap::new();
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            // The error's own text quotes the line, which may hold a secret.
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            problems.push(Problem::new(CONFIG_VARIABLE, format!("{} is no TOML, see line {line}", path.display())));
            return BTreeMap::new();
        }
    };
    let lists = declarations.iter().filter(|declaration| declaration.form == Form::List);
    let lists: Vec<String> = lists.map(|declaration| file_key(declaration.variable)).collect();
    let known: Vec<String> =
        known_variables(declarations).filter(|name| *name != CONFIG_VARIABLE).map(file_key).collect();
    let mut values = BTreeMap::new();
    for (key, value) in table {
        if !known.contains(&key) {
            let hint = nearest(&key, known.iter().map(String::as_str))
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            problems
                .push(Problem::new(CONFIG_VARIABLE, format!("`{key}` in {} is not a setting{hint}", path.display())));
            continue;
        }
        match as_text(&value, lists.contains(&key)) {
            Ok(text) => drop(values.insert(key, text)),
            Err(rule) => {
                problems.push(Problem::new(CONFIG_VARIABLE, format!("`{key}` in {} {rule}", path.display())));
            }
        }
    }
    values
}

fn as_text(value: &toml::Value, may_be_list: bool) -> Result<String, &'static str> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(on) => Ok(on.to_string()),
        toml::Value::Array(items) if may_be_list => {
            let text = |item: &toml::Value| item.as_str().filter(|text| !text.contains(',')).map(str::to_owned);
            let items: Option<Vec<String>> = items.iter().map(text).collect();
            Ok(items.ok_or("must be a list of texts without commas")?.join(","))
        }
        _ if may_be_list => Err("must be a text or a list of texts"),
        _ => Err("must be a text, a number, true or false"),
    }
}

/// The source of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The default of the profile.
    Default,
    /// The configuration file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// The sources, with the configuration file read.
pub(super) struct OpenedSources {
    flags: BTreeMap<&'static str, String>,
    env: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl OpenedSources {
    /// Returns a variable of the environment, which need not be a setting.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// Returns the name under which `origin` holds the value of a setting: the variable or the key of the file, or the one that
    /// names a file with the value.
    pub(super) fn name_of_value(&self, declaration: &Declaration, origin: Origin) -> String {
        let held =
            |values: &BTreeMap<String, String>, name: &str| values.get(name).is_some_and(|text| !text.is_empty());
        let (variable, pointer) = (declaration.variable, declaration.file_variable());
        match origin {
            // If both are set in one source that is an error, so a pointer that is set is the one that was used.
            Origin::Environment => pointer.filter(|name| held(&self.env, name)).unwrap_or(variable).to_owned(),
            Origin::File => {
                let pointer = pointer.map(file_key).filter(|name| held(&self.file, name));
                format!("{} of the configuration file", pointer.unwrap_or_else(|| file_key(variable)))
            }
            Origin::Default | Origin::Flag => variable.to_owned(),
        }
    }

    /// Returns the text of a setting from the source that takes precedence, reading the file that holds it if it is a secret. An
    /// empty text counts as not set. Setting both a secret and its file in one source is an error.
    pub(super) fn value(&self, declaration: &Declaration, problems: &mut Problems) -> Option<(String, Origin)> {
        let (variable, file_variable) = (declaration.variable, declaration.file_variable());
        if let Some(value) = self.flags.get(variable) {
            return Some((value.clone(), Origin::Flag));
        }
        let env = |variable: &str| self.env.get(variable).filter(|value| !value.is_empty()).cloned();
        let file = |variable: &str| self.file.get(&file_key(variable)).filter(|value| !value.is_empty()).cloned();
        for (origin, direct, pointed) in [
            (Origin::Environment, env(variable), file_variable.and_then(env)),
            (Origin::File, file(variable), file_variable.and_then(file)),
        ] {
            match (direct, pointed, file_variable) {
                (Some(_), Some(_), Some(pointer)) => {
                    problems.push(Problem::new(variable, format!("set either {variable} or {pointer}, not both")));
                    return None;
                }
                (Some(value), _, _) => return Some((value, origin)),
                (None, Some(path), Some(pointer)) => match text_of(&path) {
                    Ok(text) => {
                        let value = text.strip_suffix('\n').unwrap_or(&text);
                        return Some((value.strip_suffix('\r').unwrap_or(value).to_owned(), origin));
                    }
                    Err(error) => {
                        problems.push(Problem::new(pointer, format!("cannot read {}: {error}", shown_path(&path))));
                        return None;
                    }
                },
                _ => {}
            }
        }
        None
    }
}

/// Largest size of a file that a setting names, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Reads a file that a setting names.
///
/// # Errors
///
/// The file cannot be read, or is larger than [`MAX_FILE`]. Not more is read, because it may be a device without an end.
pub(crate) fn bytes_of(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?.take(MAX_FILE + 1);
    file.read_to_end(&mut bytes)?;
    if file.limit() == 0 {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

fn text_of(path: impl AsRef<Path>) -> io::Result<String> {
    String::from_utf8(bytes_of(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8"))
}
