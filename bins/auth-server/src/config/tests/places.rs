//! The settings of the database and of the addresses.

use super::*;

#[test]
fn the_prod_profile_refuses_every_database_that_forgets_or_cannot_be_written() {
    let prod = |url: &str| load(&[("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", url), ("AUTH_TOKEN_SECRET", STRONG)]);
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:%3amemory%3A",
        "sqlite:",
        "sqlite://",
        "sqlite://?mode=rwc",
        "sqlite://?mode=memory",
        "sqlite://auth.db?mode=memory",
        "sqlite://auth.db?mode=%6Demory&cache=shared",
        "sqlite:file:auth.db?mode=memory&cache=shared",
        "sqlite:file::memory:",
        "sqlite:file::memory:?cache=shared",
        "sqlite:file:",
        "sqlite:file%3A%3Amemory%3A",
        "sqlite:file:auth.db%3Fmode=memory",
        "sqlite://auth.db?vfs=memdb",
        "sqlite://auth.db?vfs=unix-none",
        "sqlite://auth.db?mode=ro",
        "sqlite://auth.db?immutable=1",
    ] {
        assert_eq!(variables(&prod(url).unwrap_err()), ["AUTH_DATABASE_URL"], "{url}");
    }
    for url in ["sqlite://auth.db", "sqlite:auth.db?mode=rwc", "sqlite:file:auth.db", "sqlite://memory.db?cache=shared"]
    {
        assert!(!prod(url).unwrap().database_url.is_in_memory(), "{url}");
    }
    assert!(load(&[("AUTH_DATABASE_URL", "sqlite::memory:")]).is_ok(), "the dev profile may forget");
    assert!(load(&[("AUTH_DATABASE_URL", "sqlite://auth.db?mode=ro")]).is_err(), "no profile serves without writing");
}

#[test]
fn the_rule_that_a_database_url_breaks_is_told_and_no_value() {
    for (url, rule) in [
        ("mysql://u:hunter2@db.example", "it names no database"),
        ("postgres://u:hunter2@h/d?sslpassword=hunter2", "sslpassword"),
        ("mysql://u:hunter2@h/d?ssl_mode=REQUIRED", "ssl_mode is not an option"),
        ("postgres://u:hunter2@h/d?sslmode=hunter2", "sslmode must be one of disable,"),
        ("postgres://u:hunter2@h/d?sslrootcert=/does/not/exist/hunter2", "sslrootcert cannot be read"),
    ] {
        let problems = load(&[("AUTH_DATABASE_URL", url)]).unwrap_err();
        assert_eq!(variables(&problems), ["AUTH_DATABASE_URL"]);
        let problems = problems.to_string();
        assert!(problems.contains(rule) && !problems.contains("hunter2"), "{problems}");
    }
    let weakened = load(&[("AUTH_DATABASE_URL", "postgres://u@h/d"), ("PGSSLMODE", "disable")]).unwrap_err();
    assert!(weakened.to_string().contains("PGSSLMODE"), "{weakened}");
}

#[test]
fn a_network_of_ipv4_mapped_addresses_is_that_of_the_ipv4_addresses() {
    let mapped = "::ffff:10.0.0.0/104, ::ffff:192.0.2.7, ::ffff:0:0/96, ::/0, 2001:db8::/32";
    let config = load(&[("AUTH_TRUSTED_PROXIES", mapped)]).unwrap();
    let networks: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "0.0.0.0/0", "::/0", "2001:db8::/32"]);
}

#[test]
fn a_weak_profile_on_a_public_address_is_a_warning() {
    for listen in ["0.0.0.0:5000", "[::]:5000", "192.0.2.1:5000", "[::ffff:192.0.2.1]:5000"] {
        for profile in ["dev", "test"] {
            let warnings = load(&[("AUTH_ENV", profile), ("AUTH_LISTEN", listen)]).unwrap().warnings;
            assert!(
                matches!(&warnings[..], [warning] if warning.starts_with("AUTH_LISTEN is no loopback")),
                "{warnings:?}"
            );
        }
        let prod = [("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", "sqlite://a.db"), ("AUTH_TOKEN_SECRET", STRONG)];
        assert!(load(&[&prod[..], &[("AUTH_LISTEN", listen)]].concat()).unwrap().warnings.is_empty());
    }
    for listen in ["127.0.0.2:5000", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
        assert!(load(&[("AUTH_LISTEN", listen)]).unwrap().warnings.is_empty(), "{listen}");
    }
}

#[test]
fn the_health_listener_is_off_or_an_address_of_its_own() {
    assert_eq!(load(&[]).unwrap().health_listen, None);
    assert_eq!(load(&[("AUTH_HEALTH_LISTEN", "off")]).unwrap().health_listen, None);
    let config = load(&[("AUTH_HEALTH_LISTEN", "127.0.0.1:5001")]).unwrap();
    assert_eq!(config.health_listen, Some("127.0.0.1:5001".parse().unwrap()));
    for wrong in ["zzz-wrong", "127.0.0.1:5000"] {
        let problems = load(&[("AUTH_HEALTH_LISTEN", wrong)]).unwrap_err();
        assert!(problems.iter().all(|problem| problem.variable == "AUTH_HEALTH_LISTEN"), "{problems}");
    }
}

#[test]
fn a_prefix_or_a_schema_that_breaks_its_rule_is_a_problem_of_its_variable() {
    let postgres = ("AUTH_DATABASE_URL", "postgres://u@h/d");
    for good in ["auth_", "none", "login"] {
        load(&[("AUTH_DATABASE_TABLE_PREFIX", good)]).unwrap();
        load(&[("AUTH_DATABASE_SCHEMA", good), postgres]).unwrap();
    }
    for (variable, bad) in [
        ("AUTH_DATABASE_TABLE_PREFIX", "Auth_"),
        ("AUTH_DATABASE_TABLE_PREFIX", "a\"; DROP TABLE users"),
        ("AUTH_DATABASE_TABLE_PREFIX", "a_prefix_that_is_much_too_long"),
        ("AUTH_DATABASE_SCHEMA", "pg_catalog"),
        ("AUTH_DATABASE_SCHEMA", "a.b"),
    ] {
        let problems = load(&[(variable, bad), postgres]).unwrap_err();
        assert_eq!(variables(&problems), [variable], "{bad}");
        assert!(!problems.to_string().contains(bad), "{problems}");
    }
    let problems = load(&[("AUTH_DATABASE_SCHEMA", "auth")]).unwrap_err();
    assert!(problems.to_string().contains("AUTH_DATABASE_SCHEMA: must not be set unless"), "{problems}");
}
