//! Where values come from: flags over the environment over the file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::secret::shown_path;
use super::settings::{CONFIG_VARIABLE, Setting, TEST_PREFIX, file_key, known_variables, nearest};
use super::{Problem, Problems};

/// The raw values of every source. The environment is handed in, so that no test touches that of its process.
#[derive(Default)]
pub struct Sources {
    /// From the command line.
    pub flags: BTreeMap<Setting, String>,
    /// All variables of the environment that are UTF-8.
    pub env: BTreeMap<String, String>,
    /// The names of variables of the environment whose value is no UTF-8.
    pub not_utf8: Vec<String>,
    /// The file of `--config`, which goes before `AUTH_CONFIG`.
    pub config_file: Option<PathBuf>,
}

impl Sources {
    /// What the process was started with.
    #[must_use]
    pub fn from_process(flags: BTreeMap<Setting, String>, config_file: Option<PathBuf>) -> Self {
        Self { flags, config_file, ..Self::with_env(std::env::vars_os()) }
    }

    /// The sources of an environment alone.
    #[must_use]
    pub fn with_env(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut sources = Self::default();
        for (name, value) in variables {
            // A name that is no UTF-8 is none of ours; if it looks like one, it is warned of.
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => drop(sources.env.insert(name, value)),
                Err(_) => sources.not_utf8.push(name),
            }
        }
        sources
    }

    /// Reads the file and looks for names that nobody knows.
    pub(super) fn open(self, problems: &mut Problems) -> Layers {
        for name in self.env.keys().chain(&self.not_utf8) {
            if name.starts_with("AUTH_")
                && !name.starts_with(TEST_PREFIX)
                && !known_variables().any(|known| known == name)
            {
                let hint = nearest(name, known_variables())
                    .map_or_else(String::new, |known| format!("; did you mean {known}?"));
                problems.warn(format!("{name} is not a setting and has no effect{hint}"));
            }
        }
        for variable in known_variables().filter(|known| self.not_utf8.iter().any(|name| name == known)) {
            problems.push(Problem::new(variable, "must be UTF-8"));
        }
        let path = self.config_file.clone().or_else(|| {
            let path = self.env.get(CONFIG_VARIABLE)?;
            (!path.is_empty()).then(|| PathBuf::from(path))
        });
        let file = path.map_or_else(BTreeMap::new, |path| read_file(&path, problems));
        Layers { flags: self.flags, env: self.env, file }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        f.debug_struct("Sources").field("config_file", &self.config_file).finish_non_exhaustive()
    }
}

fn read_file(path: &Path, problems: &mut Problems) -> BTreeMap<String, String> {
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
            // Not the error's own text, which quotes the line: it may hold a secret.
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            problems.push(Problem::new(CONFIG_VARIABLE, format!("{} is no TOML, see line {line}", path.display())));
            return BTreeMap::new();
        }
    };
    let lists: Vec<String> = Setting::LISTS.into_iter().map(|setting| file_key(setting.variable())).collect();
    let known: Vec<String> = known_variables().filter(|name| *name != CONFIG_VARIABLE).map(file_key).collect();
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

/// Which source a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The profile.
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

/// The sources, opened.
pub(super) struct Layers {
    flags: BTreeMap<Setting, String>,
    env: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl Layers {
    /// A variable of the environment, whoever it belongs to.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// What the value of `setting` from `origin` is called there: the variable or the key of the file, or the one that
    /// names a file of its own.
    pub(super) fn name_of_value(&self, setting: Setting, origin: Origin) -> String {
        let held =
            |values: &BTreeMap<String, String>, name: &str| values.get(name).is_some_and(|text| !text.is_empty());
        let (variable, pointer) = (setting.variable(), setting.file_variable());
        match origin {
            // Both in one source is a mistake, so where the pointer is it was followed.
            Origin::Environment => pointer.filter(|name| held(&self.env, name)).unwrap_or(variable).to_owned(),
            Origin::File => {
                let pointer = pointer.map(file_key).filter(|name| held(&self.file, name));
                format!("{} of the configuration file", pointer.unwrap_or_else(|| file_key(variable)))
            }
            Origin::Default | Origin::Flag => variable.to_owned(),
        }
    }

    /// The value of `setting` from the highest source that has one. An empty value is no value. A secret may be in a
    /// file of its own; both in one source is a mistake.
    pub(super) fn value(&self, setting: Setting, problems: &mut Problems) -> Option<(String, Origin)> {
        if let Some(value) = self.flags.get(&setting) {
            return Some((value.clone(), Origin::Flag));
        }
        let env = |variable: &str| self.env.get(variable).filter(|value| !value.is_empty()).cloned();
        let file = |variable: &str| self.file.get(&file_key(variable)).filter(|value| !value.is_empty()).cloned();
        let (variable, file_variable) = (setting.variable(), setting.file_variable());
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

/// The largest file that a setting may name, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What is in a file that a setting names. Not more than [`MAX_FILE`] is read: it may be a device that has no end.
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
