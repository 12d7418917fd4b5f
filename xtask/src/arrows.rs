//! Which crate may depend on which: the rules of `docs/ARCHITECTURE.md`.

use std::collections::BTreeSet;

use crate::metadata::{Metadata, Package};

/// What one crate may depend on.
struct Rule {
    package: &'static str,
    /// The crates of the workspace that may be compiled with it. Every other one is forbidden.
    ours: &'static [&'static str],
    /// Packages from outside that must not be compiled with it, not even by way of another package.
    never: &'static [&'static str],
    /// Packages that it must not name itself. They may come along with others.
    not_itself: &'static [&'static str],
    /// Packages that it may name as optional dependencies only, and that no default feature switches on.
    optional: &'static [&'static str],
}

impl Rule {
    const fn new(package: &'static str, ours: &'static [&'static str]) -> Self {
        Self { package, ours, never: &[], not_itself: &[], optional: &[] }
    }

    const fn never(self, never: &'static [&'static str]) -> Self {
        Self { never, ..self }
    }

    const fn not_itself(self, not_itself: &'static [&'static str]) -> Self {
        Self { not_itself, ..self }
    }

    const fn optional(self, optional: &'static [&'static str]) -> Self {
        Self { optional, ..self }
    }
}

const WEB_AND_SQL: &[&str] =
    &["poem", "poem-openapi", "http", "hyper", "axum", "tower", "actix-web", "sea-orm", "sqlx", "sqlx-core", "tokio"];

/// One rule for each crate of the workspace.
const RULES: &[Rule] = &[
    Rule::new("auth-core", &["bcrypt-interleaved"]).never(WEB_AND_SQL),
    Rule::new("bcrypt-interleaved", &[]).never(WEB_AND_SQL),
    Rule::new("auth-storage", &["auth-core", "bcrypt-interleaved"])
        .never(&["poem", "poem-openapi", "axum", "actix-web"])
        .not_itself(&["jsonwebtoken"]),
    Rule::new("auth-migrations", &[]).never(&["poem", "poem-openapi", "axum", "actix-web", "jsonwebtoken"]),
    Rule::new("auth-tower", &["auth-core", "bcrypt-interleaved"])
        .never(&["axum", "tonic", "actix-web", "sea-orm", "sqlx", "sqlx-core"])
        .optional(&["axum-core", "poem", "tokio"]),
    Rule::new("auth-actix", &["auth-core", "bcrypt-interleaved"]).never(&[
        "axum",
        "tonic",
        "poem",
        "sea-orm",
        "sqlx",
        "sqlx-core",
    ]),
    Rule::new("auth-server", &["auth-core", "auth-storage", "auth-migrations", "bcrypt-interleaved"])
        .never(&["axum", "actix-web"]),
    Rule::new(
        "auth-bench",
        &["auth-core", "auth-storage", "auth-migrations", "auth-server", "auth-test-db", "bcrypt-interleaved"],
    ),
    Rule::new("auth-test-db", &[]),
    Rule::new("auth-guide", &[]),
    Rule::new(
        "auth-examples",
        &["auth-core", "auth-storage", "auth-migrations", "auth-tower", "auth-actix", "bcrypt-interleaved"],
    ),
    Rule::new(
        "auth-tests",
        &["auth-core", "auth-storage", "auth-migrations", "auth-server", "auth-test-db", "bcrypt-interleaved"],
    ),
    Rule::new("xtask", &[]).never(WEB_AND_SQL),
];

/// Nothing depends on these, not even for tests.
const LEAVES: &[&str] = &["auth-tests", "auth-examples", "auth-guide", "xtask"];

/// Every broken arrow as one line.
pub(crate) fn broken(metadata: &Metadata) -> Vec<String> {
    let members: BTreeSet<&str> = metadata.members().map(|package| package.name.as_str()).collect();
    let mut broken = Vec::new();
    for rule in RULES.iter().filter(|rule| !members.contains(rule.package)) {
        broken.push(format!("there is a rule for {}, which is no crate of the workspace", rule.package));
    }
    for package in metadata.members() {
        let name = package.name.as_str();
        let Some(rule) = RULES.iter().find(|rule| rule.package == name) else {
            broken.push(format!(
                "there is no rule for {name}: add one to xtask/src/arrows.rs and to docs/ARCHITECTURE.md"
            ));
            continue;
        };
        for reached in metadata.reached_from(package) {
            let forbidden =
                if members.contains(reached) { !rule.ours.contains(&reached) } else { rule.never.contains(&reached) };
            if forbidden {
                broken.push(format!("{name} depends on {reached}"));
            }
        }
        for named in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            if rule.not_itself.contains(&named.name.as_str()) {
                broken.push(format!("{name} names {} among its dependencies", named.name));
            }
            if rule.optional.contains(&named.name.as_str()) && !(named.optional && off_by_default(package, &named.name))
            {
                broken.push(format!("{name} depends on {} without a feature that was asked for", named.name));
            }
        }
        let leaves = package.dependencies.iter().filter(|dependency| LEAVES.contains(&dependency.name.as_str()));
        broken.extend(leaves.map(|leaf| format!("{name} depends on {}, which nothing may depend on", leaf.name)));
    }
    broken.sort();
    broken
}

/// Whether no default feature switches the optional dependency on, be it by way of other features.
fn off_by_default(package: &Package, dependency: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec!["default"];
    while let Some(feature) = open.pop() {
        if !seen.insert(feature) {
            continue;
        }
        for enabled in package.features.get(feature).into_iter().flatten() {
            let switched_on = enabled.strip_prefix("dep:").unwrap_or(enabled);
            if switched_on.split('/').next() == Some(dependency) {
                return false;
            }
            open.push(enabled);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_every_rule() {
        assert_eq!(broken(&Metadata::read().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_broken_arrow_is_found() {
        let workspace = Metadata::read().unwrap();
        for (package, dependency, expected) in [
            ("auth-core", "poem", "auth-core depends on poem"),
            ("auth-core", "auth-migrations", "auth-core depends on auth-migrations"),
            ("auth-storage", "jsonwebtoken", "auth-storage names jsonwebtoken among its dependencies"),
            ("auth-tower", "auth-storage", "auth-tower depends on auth-storage"),
            ("auth-tower", "tokio", "auth-tower depends on tokio without a feature that was asked for"),
            ("auth-actix", "sea-orm", "auth-actix depends on sea-orm"),
            ("auth-migrations", "auth-core", "auth-migrations depends on auth-core"),
            ("bcrypt-interleaved", "auth-migrations", "bcrypt-interleaved depends on auth-migrations"),
            ("auth-server", "auth-tests", "auth-server depends on auth-tests, which nothing may depend on"),
        ] {
            let mut changed = workspace.clone();
            changed.add_dependency(package, dependency);
            let found = broken(&changed);
            assert!(found.iter().any(|line| line == expected), "{package} → {dependency}: {found:#?}");
        }
    }

    #[test]
    fn an_arrow_by_way_of_another_crate_is_found() {
        let mut changed = Metadata::read().unwrap();
        changed.add_dependency("bcrypt-interleaved", "hyper");
        let found = broken(&changed);
        assert!(found.contains(&"auth-core depends on hyper".to_owned()), "{found:#?}");
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        let mut changed = Metadata::read().unwrap();
        changed.add_member("stranger");
        let found = broken(&changed);
        assert!(found.len() == 1 && found[0].starts_with("there is no rule for stranger"), "{found:#?}");
    }
}
