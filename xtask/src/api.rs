//! The public API of every published library, beside its record.
//!
//! The record of a crate is `public-api.txt` in its folder: one item a line, as `cargo-public-api` writes it. This check uses
//! the library of that tool, on the JSON that rustdoc writes.
//!
//! rustdoc's JSON is not stable: a stable rustdoc writes it only when `RUSTC_BOOTSTRAP` is set. Cargo therefore calls this
//! program as rustdoc, and this program calls rustdoc with the variable. Nothing else is compiled with it, so that nothing
//! compiles twice. A newer toolchain may need a newer `public-api`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::BoxError;
use crate::metadata::{Metadata, Package};

/// Set while cargo calls this program as rustdoc.
const AS_RUSTDOC: &str = "XTASK_AS_RUSTDOC";

/// Crates that every signature may name.
const STANDARD: &[&str] = &["alloc", "core", "std"];

/// The crates from outside whose types and traits the signatures of a crate may name. A breaking release of one of them
/// is a breaking release of ours.
const NAMED: &[(&str, &[&str])] = &[
    ("auth-actix", &["actix_http", "actix_service", "actix_web", "http"]),
    ("auth-blacklist", &["time"]),
    ("auth-core", &["serde_core", "time", "uuid", "zeroize"]),
    ("auth-feed", &["serde_core", "time", "uuid"]),
    ("auth-jwt", &["time"]),
    ("auth-mail", &["time"]),
    ("auth-migrations", &["sea_orm"]),
    ("auth-storage", &["sea_orm", "sqlx_core", "time"]),
    ("auth-testing", &["sea_orm"]),
    ("auth-tower", &["axum", "axum_core", "http", "poem", "tower_layer", "tower_service"]),
    ("bcrypt-interleaved", &["subtle"]),
];

/// Compares the API of every published library with its record, or writes the record if `update` is true. Returns one line
/// for each difference, and for each crate that a signature names and must not.
///
/// # Errors
///
/// When rustdoc fails, or a record cannot be read or written.
pub(crate) fn problems(metadata: &Metadata, update: bool) -> Result<Vec<String>, BoxError> {
    document()?;
    let ours: BTreeSet<String> = metadata.members().map(Package::crate_name).collect();
    let mut problems = Vec::new();
    for package in metadata.members().filter(|package| package.is_published_library()) {
        let json = metadata.target_directory.join("doc").join(format!("{}.json", package.crate_name()));
        let api = public_api::Builder::from_rustdoc_json(&json)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .build()
            .map_err(|error| format!("{}: {error}", json.display()))?;
        let items = chosen(api.items().map(ToString::to_string));
        let mut found = strangers(&package.name, &items, &ours);
        let record = package.folder().join("public-api.txt");
        if update {
            fs::write(&record, items.join("\n") + "\n")?;
        } else {
            let recorded = fs::read_to_string(&record).map_err(|error| format!("{}: {error}", record.display()))?;
            found.extend(changes(&recorded, &items));
        }
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", package.name)));
    }
    Ok(problems)
}

/// Writes the JSON of every library of the workspace, with the features that the other steps of CI compile with.
fn document() -> Result<(), BoxError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["doc", "--quiet", "--locked", "--workspace", "--lib", "--no-deps", "--all-features"])
        .env("RUSTDOC", std::env::current_exe()?)
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format json --cap-lints allow")
        .env(AS_RUSTDOC, "1")
        .status()?;
    if status.success() { Ok(()) } else { Err("rustdoc failed".into()) }
}

/// Runs rustdoc with the arguments of this program, if cargo called this program as rustdoc. Returns whether rustdoc succeeded.
pub(crate) fn run_as_rustdoc() -> Option<Result<bool, BoxError>> {
    std::env::var_os(AS_RUSTDOC)?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = Command::new("rustdoc").args(arguments).env("RUSTC_BOOTSTRAP", "1").status();
    Some(status.map(|status| status.success()).map_err(BoxError::from))
}

/// Leaves out what says nothing new: the methods of a standard trait after the line that says that the trait is implemented,
/// and what derives and macros write for themselves.
fn chosen(items: impl Iterator<Item = String>) -> Vec<String> {
    let mut method_of_standard_trait = None;
    let mut chosen = Vec::new();
    for item in items {
        if item.starts_with("impl") {
            method_of_standard_trait =
                implementor_of_standard_trait(&item).map(|implementor| format!("fn {implementor}::"));
        }
        let is_known = method_of_standard_trait.as_ref().is_some_and(|prefix| item.contains(prefix));
        let is_generated = item.contains("StructuralPartialEq") || item.contains("::__private::");
        if !is_known && !is_generated {
            chosen.push(item);
        }
    }
    chosen
}

/// The type that this line says a trait of the standard library is implemented for.
fn implementor_of_standard_trait(line: &str) -> Option<&str> {
    let (implemented, implementor) = line.split_once(" for ")?;
    let implementor = implementor.split_once(" where ").map_or(implementor, |(implementor, _)| implementor);
    let named = crates_named_in(implemented).next()?;
    STANDARD.contains(&named).then_some(implementor)
}

/// One line for each item that names a crate that it must not name.
fn strangers(package: &str, items: &[String], ours: &BTreeSet<String>) -> Vec<String> {
    let allowed = NAMED.iter().find(|(name, _)| *name == package).map_or(&[][..], |(_, allowed)| allowed);
    let is_stranger = |named: &&str| !STANDARD.contains(named) && !allowed.contains(named) && !ours.contains(*named);
    let lines = items.iter().flat_map(|item| {
        let strangers: BTreeSet<&str> = crates_named_in(item).filter(is_stranger).collect();
        strangers.into_iter().map(move |stranger| format!("{stranger} must not be named (xtask/src/api.rs): {item}"))
    });
    lines.collect()
}

/// The crates that an item names: the first part of each path in it.
fn crates_named_in(item: &str) -> impl Iterator<Item = &str> {
    item.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':')
        .filter_map(|path| path.split_once("::").map(|(first, _)| first))
        .filter(|first| first.starts_with(|letter: char| letter.is_ascii_lowercase()))
}

/// The lines that are in one of the two alone, with `-` if the record has them and `+` if the code has them.
fn changes(recorded: &str, items: &[String]) -> Vec<String> {
    let before: BTreeSet<&str> = recorded.lines().collect();
    let now: BTreeSet<&str> = items.iter().map(String::as_str).collect();
    let gone = before.difference(&now).map(|item| format!("- {item}"));
    gone.chain(now.difference(&before).map(|item| format!("+ {item}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn an_item_that_came_went_or_changed_is_reported() {
        let recorded = "pub fn a::gone()\npub fn a::kept()\npub fn a::changed(u32)\n";
        let now = items(&["pub fn a::kept()", "pub fn a::changed(u64)", "pub fn a::new()"]);
        let expected =
            ["- pub fn a::changed(u32)", "- pub fn a::gone()", "+ pub fn a::changed(u64)", "+ pub fn a::new()"];
        assert_eq!(changes(recorded, &now), expected);
    }

    #[test]
    fn a_type_of_a_crate_that_may_not_be_named_is_reported() {
        let ours = BTreeSet::from(["auth_core".to_owned(), "auth_jwt".to_owned()]);
        for line in [
            "pub fn auth_jwt::JwtCodec::key(&self) -> jsonwebtoken::DecodingKey",
            "pub fn auth_jwt::JwtCodec::keys(&self) -> alloc::vec::Vec<&'_ jsonwebtoken::DecodingKey>",
            "impl core::convert::From<jsonwebtoken::Error> for auth_jwt::KeyError",
            "pub fn auth_jwt::f<T>(T) where T: ?core::marker::Sized + jsonwebtoken::Signer",
        ] {
            let found = strangers("auth-jwt", &items(&[line]), &ours);
            assert!(found.len() == 1 && found[0].starts_with("jsonwebtoken"), "{line}: {found:?}");
        }
        let fine = items(&[
            "pub fn auth_core::Clock::now(&self) -> time::offset_date_time::OffsetDateTime",
            "pub fn auth_core::f<T: Trait>(T::Item, <T as core::iter::Iterator>::Item, &'static str) -> Self::Output",
        ]);
        assert_eq!(strangers("auth-core", &fine, &ours), Vec::<String>::new());
        assert_eq!(strangers("auth-password", &fine, &ours).len(), 1, "time is for others");
    }

    #[test]
    fn methods_of_a_standard_trait_are_left_out_and_nothing_else() {
        let all = [
            "pub struct a::A<T>",
            "impl<T> a::A<T>",
            "pub fn a::A<T>::own(&self)",
            "impl<T: core::fmt::Debug> core::fmt::Debug for a::A<T> where T: Copy",
            "pub fn a::A<T>::fmt(&self)",
            "impl<T> core::str::FromStr for a::A<T>",
            "pub type a::A<T>::Err = a::E",
            "pub fn a::A<T>::from_str(&str)",
            "impl<T> a::Trait for a::A<T>",
            "pub fn a::A<T>::of_trait(&self)",
            "impl<T> core::marker::StructuralPartialEq for a::A<T>",
            "pub fn a::free()",
        ];
        let left_out = ["pub fn a::A<T>::fmt(&self)", "pub fn a::A<T>::from_str(&str)", all[10]];
        let expected: Vec<&str> = all.into_iter().filter(|item| !left_out.contains(item)).collect();
        assert_eq!(chosen(all.iter().map(ToString::to_string)), expected);
    }
}
