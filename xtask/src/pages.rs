//! Links, paths and names in the pages of the repository.
//!
//! A page is a Markdown file. The check reports
//!
//! - a relative link to a file or a heading that does not exist,
//! - a path of the repository in code type that does not exist,
//! - a name that does not occur in the Rust file it is listed for, written as "`path.rs`: `name`, `name`",
//! - a decision record without a status, with a number used twice, or missing from the index of records,
//! - a mention of `docs/….md` in any other file that leads to no page.
//!
//! `CHANGELOG.md` describes the past, so paths and names in it are not looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use crate::BoxError;

/// Where the decision records are.
const RECORDS: &str = "docs/adr";

/// Folders that hold nothing of the repository.
const SKIPPED: [&str; 4] = [".git", "data", "node_modules", "target"];

/// The files of the repository by their path from its root, with their text; empty where it is not UTF-8.
#[derive(Default)]
pub(crate) struct Repository {
    files: BTreeMap<PathBuf, String>,
}

impl Repository {
    /// Reads everything below `root`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Self, BoxError> {
        let mut repository = Self::default();
        repository.read_folder(root, Path::new(""))?;
        Ok(repository)
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) -> Result<(), BoxError> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                let text = String::from_utf8(fs::read(entry.path())?).unwrap_or_default();
                self.files.insert(path, text);
            } else if !SKIPPED.iter().any(|skipped| entry.file_name() == OsStr::new(skipped)) {
                self.read_folder(root, &path)?;
            }
        }
        Ok(())
    }

    /// One line for each problem.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (path, text) in &self.files {
            let found = match path.extension().and_then(OsStr::to_str) {
                Some("md") => self.problems_of_page(path, text),
                // The tests of this check name pages that do not exist.
                _ if path == Path::new("xtask/src/pages.rs") => continue,
                Some("rs" | "toml" | "yml" | "yaml" | "service") => self.missing_pages(text),
                _ if path.starts_with(".ci") => self.missing_pages(text),
                _ => continue,
            };
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", path.display())));
        }
        problems.extend(self.problems_of_records());
        problems
    }

    fn problems_of_page(&self, path: &Path, text: &str) -> Vec<String> {
        let page = Page::parse(text);
        let mut problems = Vec::new();
        let folder = path.parent().unwrap_or(Path::new(""));
        for target in page.links() {
            if !self.has_target(path, folder, target) {
                problems.push(format!("the link {target} leads nowhere"));
            }
        }
        if path == Path::new("CHANGELOG.md") {
            return problems;
        }
        for (index, span) in page.code.iter().enumerate() {
            let Some(named) = self.as_path(&page.text[span.clone()]) else { continue };
            let in_folder = normalized(&folder.join(named));
            let Some(found) = [Some(PathBuf::from(named)), in_folder].into_iter().flatten().find(|at| self.has(at))
            else {
                problems.push(format!("there is no {named}"));
                continue;
            };
            let Some(source) = self.files.get(&found).filter(|_| found.extension() == Some(OsStr::new("rs"))) else {
                continue;
            };
            for name in page.names_after(index) {
                if !has_word(source, name.rsplit("::").next().unwrap_or(name)) {
                    problems.push(format!("{named} has no {name}"));
                }
            }
        }
        problems
    }

    /// The code as a path of the repository, if it begins with one of its folders.
    fn as_path<'c>(&self, code: &'c str) -> Option<&'c str> {
        let path = code.split_whitespace().next()?.trim_end_matches('/');
        let is_plain = path.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
        let (first, _) = path.split_once('/').filter(|(first, _)| !first.is_empty())?;
        let is_folder = self.files.keys().any(|file| file.starts_with(first) && file != Path::new(first));
        (is_plain && is_folder).then_some(path)
    }

    fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(path))
    }

    fn has_target(&self, page: &Path, folder: &Path, target: &str) -> bool {
        if target.contains("://") || target.contains("::") || target.starts_with("mailto:") {
            return true;
        }
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let Some(path) = (if path.is_empty() { Some(page.to_owned()) } else { normalized(&folder.join(path)) }) else {
            return false;
        };
        match self.files.get(&path) {
            Some(text) => heading.is_empty() || Page::parse(text).anchors().contains(heading),
            None => heading.is_empty() && self.has(&path),
        }
    }

    /// Mentions of pages in a file that is no page itself.
    fn missing_pages(&self, text: &str) -> Vec<String> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        let mentions = text.split(|letter| !is_part(letter)).filter_map(|word| {
            let word = word.trim_end_matches('.');
            let page = &word[word.rfind("docs/")?..];
            (Path::new(page).extension() == Some(OsStr::new("md"))).then_some(page)
        });
        mentions
            .filter(|page| !self.files.contains_key(Path::new(page)))
            .map(|page| format!("there is no {page}"))
            .collect()
    }

    fn problems_of_records(&self) -> Vec<String> {
        let records = Path::new(RECORDS);
        let index = self.files.get(&records.join("README.md")).map_or("", String::as_str);
        let mut problems = Vec::new();
        let mut numbers = BTreeSet::new();
        for (path, text) in self.files.iter().filter(|(path, _)| path.parent() == Some(records)) {
            let Some(name) = path.file_name().and_then(OsStr::to_str).filter(|name| *name != "README.md") else {
                continue;
            };
            if !numbers.insert(name.split('-').next()) {
                problems.push(format!("{RECORDS}/{name}: its number is used twice"));
            }
            if !["Status: accepted", "Status: superseded by ["].iter().any(|status| text.contains(status)) {
                problems.push(format!("{RECORDS}/{name}: it has no status"));
            }
            if !index.contains(&format!("]({name})")) {
                problems.push(format!("{RECORDS}/{name}: it is not in {RECORDS}/README.md"));
            }
        }
        problems
    }
}

/// The text of a page without its code blocks.
struct Page {
    text: String,
    /// Code in the text, without its backticks.
    code: Vec<Range<usize>>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut fence: Option<&str> = None;
        let mut prose = String::with_capacity(text.len());
        for line in text.lines() {
            let start = line.trim_start();
            let marks = &start[..start.len() - start.trim_start_matches('`').len()];
            match fence {
                Some(open) if marks.len() >= open.len() => fence = None,
                None if marks.len() >= 3 => fence = Some(marks),
                None => {
                    prose.push_str(line);
                    prose.push('\n');
                }
                Some(_) => {}
            }
        }
        let code = code_spans(&prose);
        Self { text: prose, code }
    }

    /// Targets of the links in the text.
    fn links(&self) -> impl Iterator<Item = &str> {
        self.text.match_indices("](").filter_map(|(at, mark)| {
            let begin = at + mark.len();
            let in_code = self.code.iter().any(|span| span.contains(&at));
            let target = self.text[begin..].split(')').next()?.split_whitespace().next()?;
            (!in_code).then_some(target)
        })
    }

    /// Anchors of the headings, as forges make them.
    fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for heading in self.text.lines().filter(|line| line.starts_with('#')) {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            let anchor: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
            let again = (1..10).map(|number| format!("{anchor}-{number}")).find(|other| !anchors.contains(other));
            let is_new = anchors.insert(anchor);
            anchors.extend(again.filter(|_| !is_new));
        }
        anchors
    }

    /// The names that are listed after the code of this index and a colon.
    fn names_after(&self, index: usize) -> Vec<&str> {
        let mut names = Vec::new();
        let (mut at, mut mark) = (self.code[index].end + 1, ':');
        for span in &self.code[index + 1..] {
            let between = self.text.get(at..span.start - 1).unwrap_or_default();
            if between.strip_prefix(mark).is_none_or(|space| !space.trim().is_empty()) {
                break;
            }
            let name = &self.text[span.clone()];
            if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter)) {
                break;
            }
            names.push(name);
            (at, mark) = (span.end + 1, ',');
        }
        names
    }
}

fn code_spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let open = at + found;
        let width = text[open..].len() - text[open..].trim_start_matches('`').len();
        let begin = open + width;
        // Code ends within its paragraph.
        let paragraph = text[begin..].find("\n\n").map_or(text.len(), |end| begin + end);
        let marks = &text[open..begin];
        match text[begin..paragraph].find(marks) {
            Some(length) => {
                spans.push(begin..begin + length);
                at = begin + length + width;
            }
            None => at = begin,
        }
    }
    spans
}

/// The path without `.` and `..`; `None` where it leads out of the repository.
fn normalized(path: &Path) -> Option<PathBuf> {
    let mut normalized = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => normalized.pop().then_some(())?,
            Component::Normal(name) => normalized.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normalized)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
        let files = files.into_iter().map(|(path, text)| (PathBuf::from(path), text.to_owned())).collect();
        Repository { files }.problems()
    }

    #[test]
    fn the_pages_of_this_repository_lead_everywhere() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let problems = Repository::read(root).unwrap().problems();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn a_link_to_a_missing_file_or_heading_is_found() {
        let page = "[a](B.md) [b](B.md#two-words) [c](#here) [d](../README.md)\n\n# Here\n[e](https://a.example/x)";
        let files = [("docs/A.md", page), ("docs/B.md", "## Two `words`!\n"), ("README.md", "")];
        assert_eq!(problems(files), Vec::<String>::new());
        let found = problems([("docs/A.md", page), ("docs/B.md", "## Other\n")]);
        assert_eq!(
            found,
            ["docs/A.md: the link B.md#two-words leads nowhere", "docs/A.md: the link ../README.md leads nowhere"]
        );
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let page =
            "`crates/a/src/b.rs` `crates/a/` `.ci/run fmt` `target/x` `a/b` `crates/*/x`\n\n```\n`crates/gone`\n```\n";
        let files = [("A.md", page), ("crates/a/src/b.rs", ""), (".ci/run", "")];
        assert_eq!(problems(files), Vec::<String>::new());
        let found = problems([("A.md", page), ("crates/a/src/c.rs", ""), (".ci/run", "")]);
        assert_eq!(found, ["A.md: there is no crates/a/src/b.rs"]);
    }

    #[test]
    fn a_name_that_is_not_in_the_file_it_is_listed_for_is_found() {
        let page = "Backed by: `tests/a.rs`: `first`,\n  `Type::second`; `tests/b.rs` and `third`.";
        let files = |text| [("A.md", page), ("tests/a.rs", text), ("tests/b.rs", "")];
        assert_eq!(problems(files("fn first() {} fn second() {}")), Vec::<String>::new());
        assert_eq!(problems(files("fn first_() {} fn second() {}")), ["A.md: tests/a.rs has no first"]);
        assert_eq!(problems(files("fn first() {}")), ["A.md: tests/a.rs has no Type::second"]);
    }

    #[test]
    fn a_record_without_a_status_or_a_line_in_the_index_is_found() {
        let index = ("docs/adr/README.md", "[0001](0001-a.md)");
        assert_eq!(problems([index, ("docs/adr/0001-a.md", "Status: accepted")]), Vec::<String>::new());
        let found = problems([index, ("docs/adr/0001-a.md", ""), ("docs/adr/0001-b.md", "Status: accepted")]);
        assert_eq!(
            found,
            [
                "docs/adr/0001-a.md: it has no status",
                "docs/adr/0001-b.md: its number is used twice",
                "docs/adr/0001-b.md: it is not in docs/adr/README.md",
            ]
        );
    }

    #[test]
    fn a_mention_of_a_missing_page_in_code_is_found() {
        let files = [("src/a.rs", "// See docs/A.md, and `docs/B.md`."), ("docs/A.md", "")];
        assert_eq!(problems(files), ["src/a.rs: there is no docs/B.md"]);
    }
}
