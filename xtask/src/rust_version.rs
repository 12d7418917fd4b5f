//! The `rust-version` of each crate beside those of its dependencies.
//!
//! A crate cannot promise a Rust that one of its dependencies does not compile with. The features of the language and of the
//! standard library that our own code uses are for clippy (`incompatible_msrv`) and reviewers.

use crate::metadata::{Metadata, Package};

/// One line for each crate of the workspace whose `rust-version` is absent, or lower than that of a package that it is
/// compiled with.
pub(crate) fn too_low(metadata: &Metadata) -> Vec<String> {
    metadata.members().filter_map(|package| problem(metadata, package)).collect()
}

fn problem(metadata: &Metadata, package: &Package) -> Option<String> {
    let name = &package.name;
    let Some(promised) = package.rust_version.as_deref() else {
        return Some(format!("{name} has no rust-version"));
    };
    let compiled = metadata.packages_reached_from(package);
    let needed = compiled.iter().filter_map(|compiled| Some((compiled.rust_version.as_deref()?, &compiled.name)));
    let (version, dependency) = needed.max_by_key(|(version, _)| numbers(version))?;
    (numbers(version) > numbers(promised))
        .then(|| format!("{name} promises Rust {promised}, and {dependency} needs {version}"))
}

/// The numbers of a version: a missing one is zero.
fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or_default());
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_promises_a_rust_that_its_dependencies_compile_with() {
        assert_eq!(too_low(&Metadata::read().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_promise_that_a_dependency_breaks_is_found() {
        let mut changed = Metadata::read().unwrap();
        changed.set_rust_version("uuid", "1.200.1");
        let found = too_low(&changed);
        let expected = "auth-core promises Rust 1.94, and uuid needs 1.200.1";
        assert!(found.iter().any(|line| line == expected), "{found:#?}");
        assert!(found.iter().any(|line| line.starts_with("auth-tower promises")), "by way of auth-core: {found:#?}");
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("1.100") > numbers("1.94.9"));
        assert_eq!(numbers("1.94"), numbers("1.94.0"));
    }
}
