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
    let rows: String = section.settings.iter().map(|setting| row(*setting)).collect();
    let notes: String = section.settings.iter().filter_map(|setting| note(*setting)).collect();
    let space = if notes.is_empty() { "" } else { "\n" };
    format!(
        "\n## {}\n\n| variable | meaning | values | default |\n|---|---|---|---|\n{rows}{space}{notes}",
        section.title
    )
}

fn row(setting: &dyn Documented) -> String {
    let declaration = setting.declaration();
    let (variable, meaning, values) = (declaration.variable, declaration.meaning, declaration.values);
    format!("| `{variable}` | {meaning} | {values} | {} |\n", default_of(setting))
}

/// Returns what the table has no room for, as an item of a list.
fn note(setting: &dyn Documented) -> Option<String> {
    let declaration = setting.declaration();
    let secret = match declaration.form {
        Form::Secret { file_variable } => {
            format!("The value is a secret; `{file_variable}` may name a file that holds it.")
        }
        Form::Single | Form::List => String::new(),
    };
    let sentences = [declaration.details, &secret].into_iter().filter(|text| !text.is_empty());
    let sentences = sentences.collect::<Vec<_>>().join(" ");
    (!sentences.is_empty()).then(|| format!("- `{}`: {sentences}\n", declaration.variable))
}

/// Returns the default of `dev`, and those of the other profiles where they differ.
fn default_of(setting: &dyn Documented) -> String {
    if let Some(text) = setting.declaration().default_text {
        return text.to_owned();
    }
    let quoted = |value: &str| if value.is_empty() { "—".to_owned() } else { format!("`{value}`") };
    let dev = setting.default_in(Profile::Dev);
    let others = [Profile::Test, Profile::Prod].map(|profile| (profile, setting.default_in(profile)));
    let others = others.iter().filter(|(_, default)| *default != dev);
    let others = others.map(|(profile, default)| format!("; `{profile}`: {}", quoted(default)));
    quoted(&dev) + &others.collect::<Vec<_>>().concat()
}
