//! Which crate may depend on which: the rules of `docs/ARCHITECTURE.md`.

use std::collections::BTreeSet;

use crate::metadata::{Metadata, Package};

/// What one crate may depend on.
struct Rule {
    package: &'static str,
    /// The crates of the workspace that may be compiled with it. Every other one is forbidden.
    ours: &'static [&'static str],
    /// Packages that must not be compiled with it, not even by way of another package.
    never: [&'static [&'static str]; 2],
    /// Packages that it may name as optional dependencies only, and that no default feature switches on.
    optional: &'static [&'static str],
}

impl Rule {
    const fn new(package: &'static str, ours: &'static [&'static str]) -> Self {
        Self { package, ours, never: [&[]; 2], optional: &[] }
    }

    const fn never(self, never: &'static [&'static str]) -> Self {
        Self { never: [never, self.never[1]], ..self }
    }

    const fn never_either(self, never: &'static [&'static str]) -> Self {
        Self { never: [self.never[0], never], ..self }
    }

    const fn optional(self, optional: &'static [&'static str]) -> Self {
        Self { optional, ..self }
    }
}

const WEB_AND_SQL: &[&str] =
    &["poem", "poem-openapi", "http", "hyper", "axum", "tower", "actix-web", "sea-orm", "sqlx", "sqlx-core", "tokio"];

/// [`WEB_AND_SQL`] for a crate that has connections of its own.
const WEB_AND_SQL_WITHOUT_TOKIO: &[&str] =
    &["poem", "poem-openapi", "http", "hyper", "axum", "tower", "actix-web", "sea-orm", "sqlx", "sqlx-core"];

/// What letters do without: hash functions, libraries for signed tokens, and a TLS besides rustls.
const NOT_FOR_LETTERS: &[&str] =
    &["argon2", "bcrypt", "bcrypt-interleaved", "jsonwebtoken", "native-tls", "openssl", "rsa"];

/// Password hash functions and libraries for signed tokens: what providers bring, and the core does without.
const PROVIDERS: &[&str] = &["argon2", "aws-lc-rs", "bcrypt", "bcrypt-interleaved", "jsonwebtoken", "ring", "rsa"];

/// Everything that a program may be composed of.
const PARTS: &[&str] = &[
    "auth-actix",
    "auth-blacklist",
    "auth-conformance",
    "auth-core",
    "auth-feed",
    "auth-follower",
    "auth-http",
    "auth-jwt",
    "auth-mail",
    "auth-migrations",
    "auth-password",
    "auth-server",
    "auth-storage",
    "auth-testing",
    "auth-tower",
    "bcrypt-interleaved",
    "group-commit",
    "revocable-auth",
];

/// One rule for each crate of the workspace.
const RULES: &[Rule] = &[
    Rule::new("auth-core", &[]).never(WEB_AND_SQL).never_either(PROVIDERS),
    Rule::new("auth-jwt", &["auth-core"]).never(WEB_AND_SQL).never_either(&["argon2", "bcrypt", "bcrypt-interleaved"]),
    Rule::new("auth-password", &["auth-core", "bcrypt-interleaved"])
        .never(WEB_AND_SQL)
        .never_either(&["jsonwebtoken"])
        .optional(&["argon2"]),
    Rule::new("auth-blacklist", &["auth-core", "group-commit"]).never(WEB_AND_SQL).never_either(PROVIDERS),
    Rule::new("auth-feed", &["auth-core"])
        .never(&["poem", "poem-openapi", "axum", "tower", "actix-web", "sea-orm", "sqlx", "sqlx-core"])
        .never_either(&["argon2", "bcrypt", "bcrypt-interleaved", "jsonwebtoken", "native-tls", "openssl", "rsa"])
        .optional(&["tokio"]),
    Rule::new("auth-follower", &["auth-blacklist", "auth-core", "auth-feed", "auth-jwt", "group-commit"])
        .never(&["poem", "poem-openapi", "axum", "tower", "actix-web", "sea-orm", "sqlx", "sqlx-core"])
        .never_either(&["argon2", "bcrypt", "bcrypt-interleaved", "native-tls", "openssl"]),
    Rule::new("auth-mail", &["auth-core"]).never(WEB_AND_SQL_WITHOUT_TOKIO).never_either(NOT_FOR_LETTERS),
    Rule::new("auth-http", &["auth-core"]).never(WEB_AND_SQL).never_either(PROVIDERS),
    Rule::new("auth-conformance", &["auth-core"]).never(WEB_AND_SQL).never_either(PROVIDERS),
    Rule::new("auth-testing", &["auth-core", "auth-jwt", "auth-password", "bcrypt-interleaved"])
        .never(&["poem", "poem-openapi", "axum", "actix-web"])
        .optional(&["futures-util", "sea-orm", "tempfile", "tokio", "uuid"]),
    Rule::new("bcrypt-interleaved", &[]).never(WEB_AND_SQL),
    Rule::new("group-commit", &[]).never(WEB_AND_SQL),
    Rule::new("auth-storage", &["auth-core", "group-commit"])
        .never(&["poem", "poem-openapi", "axum", "actix-web"])
        .never_either(&["jsonwebtoken", "bcrypt", "argon2"]),
    Rule::new("auth-migrations", &[]).never(&["poem", "poem-openapi", "axum", "actix-web", "jsonwebtoken"]),
    Rule::new("auth-tower", &["auth-core", "auth-http"])
        .never(&["tonic", "actix-web", "sea-orm", "sqlx", "sqlx-core"])
        .never_either(PROVIDERS)
        .optional(&["axum", "http-body-util", "poem", "tokio"]),
    Rule::new("auth-actix", &["auth-core", "auth-http"])
        .never(&["axum", "tonic", "poem", "sea-orm", "sqlx", "sqlx-core"])
        .never_either(PROVIDERS),
    Rule::new(
        "auth-server",
        &[
            "auth-blacklist",
            "auth-core",
            "auth-feed",
            "auth-follower",
            "auth-http",
            "auth-jwt",
            "auth-mail",
            "auth-migrations",
            "auth-password",
            "auth-storage",
            "bcrypt-interleaved",
            "group-commit",
        ],
    )
    .never(&["axum", "actix-web"]),
    Rule::new(
        "revocable-auth",
        &[
            "auth-actix",
            "auth-blacklist",
            "auth-core",
            "auth-feed",
            "auth-follower",
            "auth-http",
            "auth-jwt",
            "auth-mail",
            "auth-migrations",
            "auth-password",
            "auth-storage",
            "auth-tower",
            "bcrypt-interleaved",
            "group-commit",
        ],
    )
    .never(&["poem-openapi"])
    .optional(&["auth-actix", "auth-feed", "auth-follower", "auth-http", "auth-mail", "auth-tower"]),
    Rule::new("auth-bench", PARTS),
    Rule::new("auth-guide", &[]),
    Rule::new("auth-examples", PARTS).never(&["auth-server"]),
    Rule::new("auth-tests", PARTS),
    Rule::new("xtask", &[]).never(WEB_AND_SQL),
];

/// Nothing depends on these, not even for tests.
const LEAVES: &[&str] = &["auth-tests", "auth-examples", "auth-guide", "xtask"];

/// Programs and their tests: the only crates that may depend on `revocable-auth`.
const PROGRAMS: &[&str] = &["auth-examples", "auth-guide", "auth-tests"];

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
            let not_allowed = members.contains(reached) && !rule.ours.contains(&reached);
            let forbidden = not_allowed || rule.never.iter().any(|never| never.contains(&reached));
            if forbidden {
                broken.push(format!("{name} depends on {reached}"));
            }
        }
        for named in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            if rule.optional.contains(&named.name.as_str()) && !(named.optional && off_by_default(package, &named.name))
            {
                broken.push(format!("{name} depends on {} without a feature that was asked for", named.name));
            }
        }
        let names_the_whole = package.dependencies.iter().any(|dependency| dependency.name == "revocable-auth");
        if names_the_whole && !PROGRAMS.contains(&name) {
            broken.push(format!("{name} depends on revocable-auth, which is for programs alone"));
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
            ("auth-core", "auth-jwt", "auth-core depends on auth-jwt"),
            ("auth-jwt", "auth-password", "auth-jwt depends on auth-password"),
            ("auth-blacklist", "auth-storage", "auth-blacklist depends on auth-storage"),
            ("auth-feed", "auth-jwt", "auth-feed depends on auth-jwt"),
            ("auth-mail", "auth-storage", "auth-mail depends on auth-storage"),
            ("auth-storage", "jsonwebtoken", "auth-storage depends on jsonwebtoken"),
            ("auth-tower", "auth-storage", "auth-tower depends on auth-storage"),
            ("auth-tower", "tokio", "auth-tower depends on tokio without a feature that was asked for"),
            ("auth-actix", "sea-orm", "auth-actix depends on sea-orm"),
            ("auth-migrations", "auth-core", "auth-migrations depends on auth-core"),
            ("bcrypt-interleaved", "auth-migrations", "bcrypt-interleaved depends on auth-migrations"),
            ("group-commit", "auth-core", "group-commit depends on auth-core"),
            ("auth-tower", "revocable-auth", "auth-tower depends on revocable-auth, which is for programs alone"),
            ("revocable-auth", "auth-server", "revocable-auth depends on auth-server"),
            ("revocable-auth", "auth-tests", "revocable-auth depends on auth-tests, which nothing may depend on"),
            ("auth-server", "auth-testing", "auth-server depends on auth-testing"),
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
        assert!(found.contains(&"auth-password depends on hyper".to_owned()), "{found:#?}");
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        let mut changed = Metadata::read().unwrap();
        changed.add_member("stranger");
        let found = broken(&changed);
        assert!(found.len() == 1 && found[0].starts_with("there is no rule for stranger"), "{found:#?}");
    }
}
