//! Templates in the folder of an operator.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use auth_core::letters::Language;

use super::{TemplateError, built_in, letter_names};

/// Reads all templates of a folder: their names, with slashes, and their contents.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, String)>, TemplateError> {
    let mut files = Vec::new();
    let mut languages = BTreeSet::new();
    for name in names_in(folder, "")? {
        let path = folder.join(&name);
        if !path.is_dir() {
            files.push(read_file(folder, name)?);
            continue;
        }
        let language = Language::parse(&name).map_err(|error| TemplateError::new(&name, error))?;
        if language.as_str() != name {
            return Err(TemplateError::new(
                name,
                format!("the folder of a language has a name in lower case: {language}"),
            ));
        }
        for file in names_in(&path, &name)? {
            files.push(read_file(folder, format!("{name}/{file}"))?);
        }
        languages.insert(name);
    }
    languages.iter().try_for_each(|language| is_complete(language, &files))?;
    Ok(files)
}

/// Returns the sorted names of the files and folders in a folder. `shown` names the folder in errors.
fn names_in(folder: &Path, shown: &str) -> Result<Vec<String>, TemplateError> {
    let shown = if shown.is_empty() { folder.display().to_string() } else { shown.to_owned() };
    let unreadable = |error| TemplateError::new(&shown, format!("the folder cannot be read: {error}"));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let name = name.into_string().map_err(|_| TemplateError::new(&shown, "the name of a file is not UTF-8"))?;
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_file(folder: &Path, name: String) -> Result<(String, String), TemplateError> {
    let last = name.rsplit('/').next().unwrap_or(&name);
    if !last.starts_with('_') && !is_known(&name) {
        return Err(TemplateError::new(
            name,
            "no letter uses a file of this name (the name of a file for other templates to include begins with _)",
        ));
    }
    let source = fs::read_to_string(folder.join(&name))
        .map_err(|error| TemplateError::new(&name, format!("the file cannot be read: {error}")))?;
    Ok((name, source))
}

/// Returns whether a built-in template has this name, or the same one in another language.
fn is_known(name: &str) -> bool {
    match name.split_once('/') {
        Some((_, file)) => built_in::FILES.iter().any(|(known, _)| known.strip_prefix("en/") == Some(file)),
        None => built_in::FILES.iter().any(|&(known, _)| known == name),
    }
}

/// Checks that a language that is not built in has all letters.
fn is_complete(language: &str, files: &[(String, String)]) -> Result<(), TemplateError> {
    for letter in letter_names() {
        for extension in ["subject", "txt", "html"] {
            let name = format!("{language}/{letter}.{extension}");
            let is_there = built_in::FILES.iter().any(|&(known, _)| known == name)
                || files.iter().any(|(known, _)| *known == name);
            if !is_there {
                return Err(TemplateError::new(name, "the file is missing: a language must have all letters"));
            }
        }
    }
    Ok(())
}
