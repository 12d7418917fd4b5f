//! A wrong configuration or command line is refused at the start with every error.

use tempfile::TempDir;

use crate::process::{STRONG_SECRET, command, operate};

#[test]
fn a_bad_configuration_is_78_and_a_bad_command_line_2() {
    let folder = TempDir::new().unwrap();
    let (code, _, errors) = operate(&folder, &[], &["--env", "prod", "serve"]);
    assert_eq!(code, 78, "{errors}");
    assert!(errors.contains("AUTH_DATABASE_URL") && errors.contains("AUTH_TOKEN_SECRET"), "{errors}");
    let (code, _, errors) = operate(&folder, &[("AUTH_CORS_ORIGINS", "*")], &["serve"]);
    assert_eq!(code, 78, "{errors}");
    assert!(errors.contains("AUTH_CORS_ORIGINS: must name each origin"), "{errors}");
    assert_eq!(operate(&folder, &[], &["fly"]).0, 2);
    let (code, checked, _) = operate(&folder, &[], &["config", "check"]);
    assert_eq!((code, checked.trim()), (0, "the configuration of the dev profile is good"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "looking makes no file");
}

#[test]
fn an_address_that_is_taken_is_said_so() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, errors) = operate(&folder, &[], &["--listen", &address]);
    assert_eq!(code, 1);
    assert!(errors.contains(&address) && errors.contains("AUTH_LISTEN"), "{errors}");
}

#[test]
fn a_production_server_without_its_settings_does_not_start() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("auth.db").display());
    for (arguments, settings, named) in [
        (["serve"].as_slice(), [].as_slice(), ["AUTH_TOKEN_SECRET", "AUTH_DATABASE_URL"].as_slice()),
        (&["config", "check"], &[], &["AUTH_TOKEN_SECRET", "AUTH_DATABASE_URL"]),
        (&["config", "check"], &[("AUTH_TOKEN_SECRET", "short"), ("AUTH_DATABASE_URL", &url)], &["AUTH_TOKEN_SECRET"]),
        (&["config", "check"], &[("AUTH_TOKEN_SECRET", STRONG_SECRET)], &["AUTH_DATABASE_URL"]),
        (
            &["config", "check"],
            &[("AUTH_LISTEN", "nowhere"), ("AUTH_TOKEN_TTL", "1"), ("AUTH_BCRYPT_COST", "3")],
            &["AUTH_LISTEN", "AUTH_TOKEN_TTL", "AUTH_BCRYPT_COST", "AUTH_TOKEN_SECRET", "AUTH_DATABASE_URL"],
        ),
    ] {
        let settings = [&[("AUTH_ENV", "prod")], settings].concat();
        let (code, said, errors) = operate(&folder, &settings, arguments);
        let said = said + &errors;
        assert_eq!(code, 78, "{arguments:?} {settings:?}: {said}");
        for variable in named {
            assert!(said.contains(variable), "{variable} is not named: {said}");
        }
    }
}

#[test]
fn a_production_configuration_of_full_strength_passes() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("auth.db").display());
    let settings = [("AUTH_ENV", "prod"), ("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_DATABASE_URL", &url)];
    for arguments in [["config", "check"], ["config", "show"]] {
        let (code, said, errors) = operate(&folder, &settings, &arguments);
        let said = said + &errors;
        assert_eq!(code, 0, "{said}");
        assert!(!said.contains(STRONG_SECRET), "{said}");
    }
}

#[test]
fn production_without_letters_is_good_and_the_check_says_what_is_missing() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("auth.db").display());
    let prod = [("AUTH_ENV", "prod"), ("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_DATABASE_URL", &url)];
    let (code, said, errors) = operate(&folder, &prod, &["config", "check"]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.starts_with("notice: AUTH_MAIL is not set") && said.contains("mail_unconfigured"), "{said}");
    let (code, said, errors) = operate(&folder, &prod, &["config", "show", "--json"]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.starts_with('[') && errors.contains("notice: AUTH_MAIL is not set"), "{said}{errors}");

    let with = |settings: &[(&'static str, &'static str)]| {
        let (code, said, errors) = operate(&folder, &[&prod, settings].concat(), &["serve"]);
        assert_eq!(code, 78, "{said}{errors}");
        errors
    };
    let errors = with(&[("AUTH_MAIL", "smtps://a:hunter2@smtp.example.org")]);
    assert!(
        errors.contains("AUTH_MAIL_FROM: must be set") && errors.contains("AUTH_PUBLIC_URL: must be set"),
        "{errors}"
    );
    assert!(!errors.contains("hunter2"), "{errors}");
    let errors = with(&[("AUTH_REQUIRE_VERIFIED_EMAIL", "login")]);
    assert!(errors.contains("AUTH_REQUIRE_VERIFIED_EMAIL: must be off unless AUTH_MAIL is set"), "{errors}");
}

#[test]
fn a_broken_template_of_a_letter_is_78_and_named() {
    let folder = TempDir::new().unwrap();
    let templates = folder.path().join("templates");
    std::fs::create_dir_all(templates.join("en")).unwrap();
    std::fs::write(templates.join("en/reset_password.html"), "{% if %}").unwrap();
    let settings = [("AUTH_MAIL_TEMPLATES", templates.to_str().unwrap())];
    for arguments in [["config", "check"], ["user", "list"]] {
        let (code, said, errors) = operate(&folder, &settings, &arguments);
        assert_eq!(code, 78, "{said}{errors}");
        assert!(errors.contains("AUTH_MAIL_TEMPLATES") && errors.contains("en/reset_password.html"), "{errors}");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("auth.db").display());
    let commented = format!("# key 2026\n{}", include_str!("../../../../crates/auth-jwt/tests/keys/rsa.pub"));
    let key = folder.path().join("k").display().to_string();
    std::fs::write(&key, &commented).unwrap();
    let given = [("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", &url), ("AUTH_TOKEN_SECRET", STRONG_SECRET)];
    let listed = [&given[..], &[("AUTH_TOKEN_VERIFY_KEY_FILES", key.as_str())]].concat();
    assert_eq!(operate(&folder, &listed, &["config", "check"]).0, 0, "it is read as the key that it is");
    for settings in [
        [&given[..], &[("AUTH_TOKEN_VERIFY_SECRET_FILES", key.as_str())]].concat(),
        [&given[..2], &[("AUTH_TOKEN_SECRET_FILE", key.as_str())]].concat(),
        [&given[..2], &[("AUTH_TOKEN_SECRET", commented.as_str())]].concat(),
    ] {
        let (code, said, errors) = operate(&folder, &settings, &["config", "check"]);
        assert_eq!(code, 78, "{said}");
        assert!(errors.contains("looks like a PEM file"), "{errors}");
    }
}

#[test]
fn a_misspelt_variable_is_answered_with_the_nearest_name() {
    let folder = TempDir::new().unwrap();
    let (code, said, errors) = operate(&folder, &[("AUTH_LISTN", "127.0.0.1:1")], &["config", "check"]);
    let said = said + &errors;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("AUTH_LISTN") && said.contains("AUTH_LISTEN"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_utf8_does_not_become_its_default() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = TempDir::new().unwrap();
    let prod = std::ffi::OsStr::from_bytes(b"prod\xff");
    for arguments in [["config", "check"].as_slice(), &["serve"]] {
        let output = command(&folder).env("AUTH_ENV", prod).args(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{errors}");
        assert!(errors.contains("AUTH_ENV: must be UTF-8"), "{errors}");
    }
}

#[test]
fn a_data_folder_may_have_any_name() {
    for name in ["a%2Fb%3f", "file:x?mode=memory&cache=shared", " blanks at the ends ", "données #1", ":memory:"] {
        let folder = TempDir::new().unwrap();
        // The name is relative, so that its first character is the first of the path.
        let settings = [("AUTH_DATA_DIR", name)];
        let (code, said, errors) = operate(&folder, &settings, &["migrate", "up"]);
        assert_eq!(code, 0, "{name}: {said}{errors}");
        assert!(folder.path().join(name).join("auth.db").is_file(), "{name}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "{name}: nothing else was made");
        assert_eq!(operate(&folder, &settings, &["migrate", "status"]).0, 0, "{name}: it is found again");
    }
}

#[test]
fn a_weak_profile_on_a_public_address_is_warned_of_by_the_check_and_at_the_start() {
    let folder = TempDir::new().unwrap();
    let settings = [("AUTH_LISTEN", "0.0.0.0:5000")];
    for arguments in [["config", "check"], ["migrate", "status"]] {
        let (_, said, errors) = operate(&folder, &settings, &arguments);
        assert!((said + &errors).contains("AUTH_LISTEN is no loopback address"), "{arguments:?}");
    }
}

#[test]
fn the_page_of_settings_is_the_one_that_the_server_generates() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SETTINGS.md");
    let committed = std::fs::read_to_string(page).unwrap_or_default();
    assert!(
        committed == auth_server::config::settings_page(),
        "docs/SETTINGS.md is stale; run: cargo run --bin auth-server -- config docs > docs/SETTINGS.md"
    );
}
