use std::collections::BTreeMap;

use auth_jwt::SigningKey;

use super::*;

mod coverage;
mod keys;
mod mail;
mod passwords;
mod places;

const STRONG: &str = "q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4Tx=";

fn env(pairs: &[(&str, &str)]) -> Sources {
    let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { env, ..Sources::default() }
}

fn load(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::load(env(pairs))
}

fn variables(problems: &Problems) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.variable).collect()
}

#[test]
fn the_dev_profile_needs_no_setting() {
    let config = load(&[]).unwrap();
    assert_eq!(config.profile, Profile::Dev);
    assert_eq!(config.listen.to_string(), "127.0.0.1:5000");
    assert_eq!(config.database_url.to_string(), "sqlite://./data/auth.db");
    assert!(config.needs_data_dir());
    assert!(matches!(&config.signing, SigningSource::CreatedAt(path) if path == "./data/token-secret"));
    assert_eq!(config.token_ttl, Duration::from_secs(86_400));
    assert_eq!((config.passwords.bcrypt_cost, config.passwords.min_length), (12, 6));
    assert!(!config.passwords.common_list, "the first clients' 123456 is accepted");
    assert!(config.docs && config.migrate && config.warnings.is_empty());
}

#[test]
fn the_test_profile_keeps_nothing_and_hashes_cheaply() {
    let config = load(&[("AUTH_ENV", "test")]).unwrap();
    assert!(config.database_url.is_in_memory());
    assert_eq!(config.passwords.bcrypt_cost, 4);
    assert!(matches!(config.signing, SigningSource::Random));
}

#[test]
fn the_prod_profile_refuses_to_start_without_secret_and_database() {
    let problems = load(&[("AUTH_ENV", "prod")]).unwrap_err();
    assert_eq!(variables(&problems), ["AUTH_DATABASE_URL", "AUTH_TOKEN_SECRET"]);
}

#[test]
fn the_prod_profile_starts_with_what_it_needs_and_keeps_to_itself() {
    let config = load(&[
        ("AUTH_ENV", "prod"),
        ("AUTH_DATABASE_URL", "postgres://auth:pw@db.example/auth"),
        ("AUTH_TOKEN_SECRET", STRONG),
    ])
    .unwrap();
    assert!(matches!(config.signing, SigningSource::Key { .. }));
    assert!(!config.docs && !config.migrate);
    assert_eq!((config.passwords.bcrypt_cost, config.passwords.min_length), (12, 8));
    assert!(config.passwords.common_list);
}

#[test]
fn the_prod_profile_refuses_weak_values() {
    let problems = load(&[
        ("AUTH_ENV", "prod"),
        ("AUTH_DATABASE_URL", "sqlite::memory:"),
        ("AUTH_TOKEN_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("AUTH_BCRYPT_COST", "4"),
        ("AUTH_PASSWORD_MIN_LENGTH", "6"),
    ])
    .unwrap_err();
    let expected = ["AUTH_DATABASE_URL", "AUTH_TOKEN_SECRET", "AUTH_BCRYPT_COST", "AUTH_PASSWORD_MIN_LENGTH"];
    assert_eq!(variables(&problems), expected);
}

#[test]
fn every_problem_is_reported_at_once_with_its_variable_and_without_the_value() {
    let problems = load(&[
        ("AUTH_ENV", "zzz-wrong"),
        ("AUTH_LISTEN", "zzz-wrong"),
        ("AUTH_DATABASE_URL", "zzz-wrong"),
        ("AUTH_TOKEN_SECRET", "zzz-wrong"),
        ("AUTH_TOKEN_TTL", "91d"),
        ("AUTH_BCRYPT_COST", "zzz-wrong"),
        ("AUTH_PASSWORD_MIN_LENGTH", "zzz-wrong"),
        ("AUTH_HASH_THREADS", "zzz-wrong"),
        ("AUTH_HASH_WIDTH", "zzz-wrong"),
        ("AUTH_HASH_QUEUE", "zzz-wrong"),
        ("AUTH_HASH_MAX_WAIT", "zzz-wrong"),
        ("AUTH_HASH_PRIORITY", "zzz-wrong"),
        ("AUTH_DOCS", "zzz-wrong"),
        ("AUTH_LOG", "zzz-wrong=zzz=zzz"),
        ("AUTH_LOG_FORMAT", "zzz-wrong"),
        ("AUTH_TRUSTED_PROXIES", "zzz-wrong"),
    ])
    .unwrap_err();
    assert_eq!(variables(&problems).len(), 16, "{problems}");
    assert!(!problems.to_string().contains("zzz"), "{problems}");
    for variable in ["AUTH_ENV", "AUTH_TOKEN_SECRET", "AUTH_TOKEN_TTL", "AUTH_TRUSTED_PROXIES"] {
        assert!(problems.to_string().contains(variable));
    }
}

#[test]
fn flags_go_before_the_environment_and_the_environment_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("auth.toml");
    std::fs::write(&file, "listen = '127.0.0.1:1'\ntoken_ttl = '1h'\nbcrypt_cost = 5\ndocs = false\n").unwrap();
    let mut sources = env(&[("AUTH_LISTEN", "127.0.0.1:2"), ("AUTH_TOKEN_TTL", "2h")]);
    sources.flags = BTreeMap::from([("AUTH_LISTEN", "127.0.0.1:3".to_owned())]);
    sources.config_file = Some(file);
    let config = Config::load(sources).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.token_ttl, Duration::from_secs(7_200));
    assert_eq!(config.passwords.bcrypt_cost, 5);
    assert!(!config.docs);
    let origin = |variable| config.effective().iter().find(|setting| setting.variable == variable).unwrap().origin;
    assert_eq!(origin("AUTH_LISTEN"), Origin::Flag);
    assert_eq!(origin("AUTH_TOKEN_TTL"), Origin::Environment);
    assert_eq!(origin("AUTH_BCRYPT_COST"), Origin::File);
    assert_eq!(origin("AUTH_LOG_FORMAT"), Origin::Default);
}

#[test]
fn an_unknown_key_in_the_file_is_a_problem_and_a_broken_file_shows_nothing_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("auth.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "token_tll = '1h'\nlisten = 1.5\n").unwrap();
    let problems = load(&[("AUTH_CONFIG", path)]).unwrap_err().to_string();
    assert!(problems.contains("`token_tll`") && problems.contains("did you mean `token_ttl`?"), "{problems}");
    assert!(problems.contains("`listen`"), "{problems}");
    for (wrong, named) in [
        ("listen = ['127.0.0.1:1']", "`listen`"),
        ("token_ttl = 2026-11-26", "`token_ttl`"),
        ("database_url = { host = 'hunter2' }", "`database_url`"),
        ("trusted_proxies = [10]", "`trusted_proxies`"),
        ("token_verify_key_files = ['hunter2,hunter2']", "`token_verify_key_files`"),
        ("[throttle]\naccount = 50", "`throttle`"),
        ("docs = 2", "AUTH_DOCS"),
    ] {
        std::fs::write(&file, wrong).unwrap();
        let problems = load(&[("AUTH_CONFIG", path)]).unwrap_err().to_string();
        assert!(problems.contains(named) && !problems.contains("hunter2"), "{wrong}: {problems}");
    }
    std::fs::write(&file, "env = 'dev'\ntoken_secret = hunter2").unwrap();
    let problems = load(&[("AUTH_CONFIG", path)]).unwrap_err().to_string();
    assert!(problems.contains("line 2") && !problems.contains("hunter2"), "{problems}");
    assert!(load(&[("AUTH_CONFIG", "/does/not/exist.toml")]).is_err());
}

#[test]
fn an_unknown_variable_is_a_warning_that_suggests_the_nearest() {
    let config = load(&[("AUTH_TOKEN_TLL", "1h"), ("AUTH_TEST_POSTGRES_URL", "x"), ("OTHER", "x")]).unwrap();
    assert_eq!(config.warnings, ["AUTH_TOKEN_TLL is not a setting and has no effect; did you mean AUTH_TOKEN_TTL?"]);
}

#[test]
fn a_misspelt_variable_is_told_of_beside_the_errors_that_it_may_have_caused() {
    let problems = load(&[("AUTH_ENV", "prod"), ("AUTH_DATABSE_URL", "postgres://h/d")]).unwrap_err().to_string();
    assert!(problems.contains("AUTH_DATABASE_URL: must be set"), "{problems}");
    assert!(problems.contains("\nwarning: AUTH_DATABSE_URL is not a setting"), "{problems}");
}

#[cfg(unix)]
#[test]
fn a_variable_of_ours_that_is_no_utf8_is_a_problem() {
    use std::os::unix::ffi::OsStringExt as _;

    let bytes = |text: &[u8]| std::ffi::OsString::from_vec(text.to_vec());
    let load = |name: &[u8], value: &[u8]| Config::load(Sources::with_env([(bytes(name), bytes(value))]));
    for name in ["AUTH_ENV", "AUTH_DATA_DIR", "AUTH_TOKEN_SECRET_FILE", "AUTH_CONFIG"] {
        assert_eq!(variables(&load(name.as_bytes(), b"prod\xff").unwrap_err()), [name]);
    }
    let config = load(b"AUTH_EMV", b"prod\xff").unwrap();
    assert_eq!(config.warnings, ["AUTH_EMV is not a setting and has no effect; did you mean AUTH_ENV?"]);
    assert_eq!(load(b"AUTH_\xff", b"x").unwrap().warnings.len(), 1);
    assert!(load(b"PATH", b"/\xff").unwrap().warnings.is_empty());
}

#[test]
fn a_secret_may_be_in_a_file_but_not_in_two_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, format!("{STRONG}\n")).unwrap();
    let path = file.to_str().unwrap();
    let from_file = load(&[("AUTH_TOKEN_SECRET_FILE", path)]).unwrap();
    let direct = load(&[("AUTH_TOKEN_SECRET", STRONG)]).unwrap();
    let toml = dir.path().join("auth.toml");
    std::fs::write(&toml, format!("token_secret_file = {path:?}\n")).unwrap();
    let pointed_at = load(&[("AUTH_CONFIG", toml.to_str().unwrap())]).unwrap();
    for (config, name) in [
        (from_file, "AUTH_TOKEN_SECRET_FILE"),
        (direct, "AUTH_TOKEN_SECRET"),
        (pointed_at, "token_secret_file of the configuration file"),
    ] {
        let SigningSource::Key { key, set_in } = config.signing else { panic!("no key from {name}") };
        assert_eq!((key.id(), set_in.as_str()), (SigningKey::from_secret(STRONG.as_bytes()).unwrap().id(), name));
    }

    let both = load(&[("AUTH_TOKEN_SECRET", STRONG), ("AUTH_TOKEN_SECRET_FILE", path)]).unwrap_err().to_string();
    assert!(both.contains("AUTH_TOKEN_SECRET or AUTH_TOKEN_SECRET_FILE"), "{both}");
    let missing = load(&[("AUTH_DATABASE_URL_FILE", "/does/not/exist")]).unwrap_err();
    assert_eq!(variables(&missing), ["AUTH_DATABASE_URL_FILE"]);
    std::fs::write(path, "x".repeat(64 * 1024 + 1)).unwrap();
    let endless = load(&[("AUTH_TOKEN_SECRET_FILE", path)]).unwrap_err().to_string();
    assert!(endless.contains("AUTH_TOKEN_SECRET_FILE") && endless.contains("larger than 65536 bytes"), "{endless}");
    let key_and_secret = load(&[("AUTH_TOKEN_SECRET", STRONG), ("AUTH_TOKEN_PRIVATE_KEY_FILE", path)]).unwrap_err();
    assert!(key_and_secret.to_string().contains("AUTH_TOKEN_PRIVATE_KEY_FILE"));
}

#[test]
fn no_secret_is_shown_in_any_form() {
    for url in ["postgres://auth:hunter2@db.example/auth", "postgres://auth@db.example/auth?password=hunter2"] {
        let config = load(&[("AUTH_TOKEN_SECRET", STRONG), ("AUTH_DATABASE_URL", url)]).unwrap();
        let shown: Vec<String> = config.effective().iter().map(|setting| setting.value.clone()).collect();
        let sources = env(&[("AUTH_TOKEN_SECRET", STRONG)]);
        for text in [format!("{config:?}"), format!("{shown:?}"), format!("{sources:?}")] {
            assert!(!text.contains(STRONG) && !text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn the_cache_of_tokens_is_a_bounded_number_and_may_be_off() {
    assert_eq!(load(&[]).unwrap().token_cache, 16_384);
    assert_eq!(load(&[("AUTH_TOKEN_CACHE", "0")]).unwrap().token_cache, 0);
    for wrong in ["-1", "1048577", "many"] {
        let problems = load(&[("AUTH_TOKEN_CACHE", wrong)]).unwrap_err();
        assert_eq!(variables(&problems), ["AUTH_TOKEN_CACHE"]);
        assert!(problems.to_string().contains("from 0 to 1048576"), "{problems}");
    }
}

#[test]
fn proxies_are_networks_or_single_addresses() {
    let config = load(&[("AUTH_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).unwrap();
    assert_eq!(config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn the_origins_of_other_pages_are_exact() {
    let origins = |env: &str, value: &str| {
        let settings = [
            ("AUTH_ENV", env),
            ("AUTH_CORS_ORIGINS", value),
            ("AUTH_DATABASE_URL", "postgres://auth:pw@db.example/auth"),
            ("AUTH_TOKEN_SECRET", STRONG),
        ];
        load(&settings).map(|config| config.cors_origins.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(origins("prod", ""), Ok(Vec::new()));
    let two = "https://app.example.com, http://localhost:8080";
    assert_eq!(origins("prod", two), Ok(vec!["https://app.example.com".into(), "http://localhost:8080".into()]));
    assert_eq!(origins("dev", "http://app.example.com"), Ok(vec!["http://app.example.com".into()]));
    for (wrong, rule) in [
        ("*", "must name each origin"),
        ("https://*.example.com", "must name each origin"),
        ("https://app.example.com,*", "must name each origin"),
        ("null", "such as https://app.example.com"),
        ("app.example.com", "such as https://app.example.com"),
        ("https://app.example.com/", "without a slash"),
        ("https://app.example.com:443", "default port"),
        ("https://App.example.com", "lower case"),
        ("http://app.example.com", "scheme https"),
    ] {
        let problems = origins("prod", wrong).unwrap_err();
        assert_eq!(variables(&problems), ["AUTH_CORS_ORIGINS"], "{wrong}");
        assert!(problems.to_string().contains(rule), "{problems}");
    }
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    assert_eq!(load(&[("AUTH_LISTEN", "")]).unwrap().listen.port(), 5000);
}

#[test]
fn the_scopes_of_users_have_names_that_no_role_of_ours_has() {
    assert_eq!(
        load(&[("AUTH_USER_SCOPES", "editor orders:read")]).unwrap().user_scopes.to_string(),
        "editor orders:read"
    );
    for (wrong, rule) in [("orders:read admin", "must not name 'admin'"), ("a\"b", "is wrong: a scope has")] {
        let problems = load(&[("AUTH_USER_SCOPES", wrong)]).unwrap_err();
        assert_eq!(variables(&problems), ["AUTH_USER_SCOPES"], "{wrong}");
        assert!(problems.to_string().contains(rule), "{problems}");
    }
}

#[test]
fn guessing_is_limited_unless_it_is_a_test_or_switched_off() {
    let limits = load(&[]).unwrap().throttle.unwrap();
    assert_eq!((limits.account, limits.network, limits.registrations, limits.free), (100, 600, 100, 10));
    assert_eq!((limits.letters, limits.letters_network), (5, 60));
    assert_eq!((limits.max_delay, limits.known_for), (Duration::from_secs(900), Duration::from_secs(30 * 86_400)));
    assert!(load(&[("AUTH_THROTTLE", "off")]).unwrap().throttle.is_none());
    assert!(load(&[("AUTH_ENV", "test")]).unwrap().throttle.is_none());
    assert!(load(&[("AUTH_ENV", "test"), ("AUTH_THROTTLE", "on")]).unwrap().throttle.is_some());
    let prod =
        [("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", "postgres://db.example/auth"), ("AUTH_TOKEN_SECRET", STRONG)];
    assert!(load(&prod).unwrap().throttle.is_some());
}

#[test]
fn limits_out_of_their_bounds_are_problems_of_their_variables() {
    let problems = load(&[
        ("AUTH_THROTTLE", "maybe"),
        ("AUTH_THROTTLE_ACCOUNT", "101"),
        ("AUTH_THROTTLE_NETWORK", "-1"),
        ("AUTH_THROTTLE_REGISTRATIONS", "6"),
        ("AUTH_THROTTLE_LETTERS", "1"),
        ("AUTH_THROTTLE_LETTERS_NETWORK", "6"),
        ("AUTH_THROTTLE_FREE", "0"),
        ("AUTH_THROTTLE_MAX_DELAY", "15"),
        ("AUTH_THROTTLE_KNOWN_FOR", "1m"),
    ])
    .unwrap_err();
    let mut found = variables(&problems);
    found.sort_unstable();
    let expected = [
        "AUTH_THROTTLE",
        "AUTH_THROTTLE_ACCOUNT",
        "AUTH_THROTTLE_FREE",
        "AUTH_THROTTLE_KNOWN_FOR",
        "AUTH_THROTTLE_LETTERS",
        "AUTH_THROTTLE_LETTERS_NETWORK",
        "AUTH_THROTTLE_MAX_DELAY",
        "AUTH_THROTTLE_NETWORK",
        "AUTH_THROTTLE_REGISTRATIONS",
    ];
    assert_eq!(found, expected, "{problems}");
    assert!(problems.to_string().contains("at most 100"), "{problems}");
    assert!(load(&[("AUTH_THROTTLE_MAX_DELAY", "2h")]).unwrap_err().to_string().contains("1 second to 1 hour"));
}
