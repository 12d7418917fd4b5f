//! The page `docs/SETTINGS.md`, generated from the table of settings.

use super::profile::Profile;
use super::setting::{Documented, Form, Section};
use super::table::SECTIONS;

/// The command that writes the page.
const COMMAND: &str = "cargo run --bin auth-server -- config docs > docs/SETTINGS.md";

const INTRODUCTION: &str = "\
Every setting of the server, with its default in the profiles `dev`, `test` and `prod` (`AUTH_ENV`).

- In the configuration file a setting has the same name in lower case without `AUTH_`: `listen`, `token_ttl`. A
  comma-separated list may be a TOML list there.
- A duration is written as `250ms`, `90s`, `15m`, `2h`, `1d` or `1h30m`.
- A secret may be in a file that another variable names. Setting both is an error. White space at both ends of the file is
  dropped.

[OPERATIONS.md](OPERATIONS.md#settings) says where values come from and how to check them.
";

/// Returns the page as Markdown.
#[must_use]
pub fn settings_page() -> String {
    let mut page = format!(
        "<!-- Generated from bins/auth-server/src/config by `{COMMAND}`. Do not edit. -->\n\n# Settings\n\n{INTRODUCTION}"
    );
    for section in SECTIONS {
        page.push_str(&section_text(section));
    }
    page
}

fn section_text(section: &Section) -> String {
    let mut text = format!("\n## {}\n\n| variable | meaning | values | default |\n|---|---|---|---|\n", section.title);
    for setting in section.settings {
        let declaration = setting.declaration();
        let (variable, meaning, values) = (declaration.variable, declaration.meaning, declaration.values);
        text.push_str(&format!("| `{variable}` | {meaning} | {values} | {} |\n", default_of(*setting)));
    }
    let notes: Vec<String> = section.settings.iter().filter_map(|setting| note(*setting)).collect();
    if !notes.is_empty() {
        text.push('\n');
        text.push_str(&notes.concat());
    }
    text
}

/// Returns what the table has no room for, as an item of a list.
fn note(setting: &dyn Documented) -> Option<String> {
    let declaration = setting.declaration();
    let mut sentences = declaration.details.to_owned();
    if let Form::Secret { file_variable } = declaration.form {
        let space = if sentences.is_empty() { "" } else { " " };
        sentences.push_str(&format!("{space}The value is a secret; `{file_variable}` may name a file that holds it."));
    }
    (!sentences.is_empty()).then(|| format!("- `{}`: {sentences}\n", declaration.variable))
}

/// Returns the default of `dev`, and those of the other profiles where they differ.
fn default_of(setting: &dyn Documented) -> String {
    if let Some(text) = setting.declaration().default_text {
        return text.to_owned();
    }
    let quoted = |value: String| if value.is_empty() { "—".to_owned() } else { format!("`{value}`") };
    let dev = setting.default_in(Profile::Dev);
    let mut text = quoted(dev.clone());
    for profile in [Profile::Test, Profile::Prod] {
        let default = setting.default_in(profile);
        if default != dev {
            text.push_str(&format!("; `{profile}`: {}", quoted(default)));
        }
    }
    text
}
