//! The keys that the settings name, and the files that they refuse.

use std::path::Path;

use auth_jwt::SigningKey;
use tempfile::TempDir;

use super::*;
use crate::secret_file;

#[path = "../../../../../crates/auth-jwt/tests/keys/forms.rs"]
mod forms;

const PUBLIC_KEY: &str = include_str!("../../../../../crates/auth-jwt/tests/keys/rsa.pub");

const PROD: [(&str, &str); 2] = [("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", "sqlite://a.db")];

/// Returns the text of the errors, all of which belong to `variable`.
fn refusal(pairs: &[(&str, &str)], variable: &str) -> String {
    let problems = load(pairs).unwrap_err();
    assert_eq!(variables(&problems), [variable], "{problems}");
    problems.to_string()
}

fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn key_id(config: &Config) -> String {
    let SigningSource::Key { key, .. } = &config.signing else { panic!("no key is set") };
    key.id().to_owned()
}

#[test]
fn no_setting_makes_a_secret_of_a_key() {
    let folder = TempDir::new().unwrap();
    let kinds = ["as it is", "after a comment", "UTF-16 little endian", "base64 in lines", "hexadecimal"];
    for (wrapper, wrap) in forms::WRAPPERS.iter().filter(|(wrapper, _)| kinds.contains(wrapper)) {
        for (name, key) in forms::all() {
            let Some(bytes) = wrap(&key) else { continue };
            let file = written(&folder, "key", &bytes);
            if let Ok(config) = load(&[("AUTH_TOKEN_VERIFY_KEY_FILES", &file)]) {
                assert_eq!(config.verifying.len(), 1);
                assert_ne!(config.verifying[0].algorithm(), "HS256", "{name}, {wrapper}");
            }
            for variable in ["AUTH_TOKEN_VERIFY_SECRET_FILES", "AUTH_TOKEN_SECRET_FILE"] {
                assert!(load(&[(variable, &file)]).is_err(), "{variable} took {name}, {wrapper}");
            }
            if let Ok(text) = std::str::from_utf8(&bytes) {
                assert!(load(&[("AUTH_TOKEN_SECRET", text)]).is_err(), "AUTH_TOKEN_SECRET took {name}, {wrapper}");
            }
        }
    }
}

#[test]
fn a_public_key_after_a_comment_verifies_as_the_key_that_it_is() {
    let folder = TempDir::new().unwrap();
    let plain = written(&folder, "plain", PUBLIC_KEY.as_bytes());
    let commented = written(&folder, "commented", format!("# key 2026\n{PUBLIC_KEY}").as_bytes());
    let config = load(&[("AUTH_TOKEN_VERIFY_KEY_FILES", &format!("{plain}, {commented}"))]).unwrap();
    assert_eq!(config.verifying[0].algorithm(), "RS256");
    assert_eq!(config.verifying[0].id(), config.verifying[1].id());
    let said = refusal(&[("AUTH_TOKEN_VERIFY_SECRET_FILES", &commented)], "AUTH_TOKEN_VERIFY_SECRET_FILES");
    assert!(said.contains("looks like a PEM file") && said.contains("AUTH_TOKEN_VERIFY_KEY_FILES"), "{said}");
}

#[test]
fn a_secret_among_the_public_keys_is_refused_and_the_setting_for_it_is_named() {
    let folder = TempDir::new().unwrap();
    let secret = written(&folder, "old-secret", format!("{STRONG}\n").as_bytes());
    let said = refusal(&[("AUTH_TOKEN_VERIFY_KEY_FILES", &secret)], "AUTH_TOKEN_VERIFY_KEY_FILES");
    assert!(said.contains(&secret) && said.contains("AUTH_TOKEN_VERIFY_SECRET_FILES"), "{said}");
    assert!(!said.contains(STRONG), "{said}");
    let config = load(&[("AUTH_TOKEN_VERIFY_SECRET_FILES", &secret)]).unwrap();
    assert_eq!(config.verifying[0].id(), SigningKey::from_secret(STRONG.as_bytes()).unwrap().id());
}

#[test]
fn a_secret_that_signed_before_must_be_as_strong_as_one_that_signs() {
    let folder = TempDir::new().unwrap();
    for weak in ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "too-short"] {
        let file = written(&folder, "weak", weak.as_bytes());
        let signing = refusal(&[&PROD[..], &[("AUTH_TOKEN_SECRET", weak)]].concat(), "AUTH_TOKEN_SECRET");
        let given = [("AUTH_TOKEN_SECRET", STRONG), ("AUTH_TOKEN_VERIFY_SECRET_FILES", &file)];
        let verifying = refusal(&[&PROD[..], &given].concat(), "AUTH_TOKEN_VERIFY_SECRET_FILES");
        let rule = signing.rsplit_once("AUTH_TOKEN_SECRET: ").unwrap().1;
        assert!(verifying.ends_with(rule), "{verifying} is another rule than {rule}");
    }
}

#[test]
fn a_secret_is_the_same_key_wherever_it_stands_and_whatever_stands_around_it() {
    let folder = TempDir::new().unwrap();
    let id = SigningKey::from_secret(STRONG.as_bytes()).unwrap().id().to_owned();
    for text in [STRONG.to_owned(), format!("{STRONG}\n"), format!(" {STRONG} \r\n\n"), format!("{STRONG}\n\n")] {
        let file = written(&folder, "secret", text.as_bytes());
        let listed = load(&[("AUTH_TOKEN_VERIFY_SECRET_FILES", &file)]).unwrap();
        let direct = load(&[("AUTH_TOKEN_SECRET", &text)]).unwrap();
        let pointed = load(&[("AUTH_TOKEN_SECRET_FILE", &file)]).unwrap();
        let kept = secret_file::read(Path::new(&file)).unwrap();
        assert_eq!(listed.verifying[0].id(), id, "{text:?}");
        assert_eq!([key_id(&direct), key_id(&pointed)], [id.clone(), id.clone()], "{text:?}");
        assert_eq!(kept.expose_secret(), STRONG.as_bytes(), "{text:?}");
        assert_eq!(direct.warnings.is_empty(), text == STRONG, "{:?}", direct.warnings);
    }
    let binary = written(&folder, "binary", &[b"\xff".as_slice(), STRONG.as_bytes()].concat());
    for variable in ["AUTH_TOKEN_SECRET_FILE", "AUTH_TOKEN_VERIFY_SECRET_FILES"] {
        assert!(refusal(&[(variable, &binary)], variable).contains("UTF-8"));
    }
}

#[test]
fn a_path_or_a_placeholder_given_as_the_secret_is_named() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, "a-file-with-a-name-of-some-length", STRONG.as_bytes());
    for path in ["/run/secrets/auth-server/token-secret", "./secrets/auth-server/token-secret", &file] {
        let said = refusal(&[("AUTH_TOKEN_SECRET", path)], "AUTH_TOKEN_SECRET");
        assert!(said.contains("path of a file") && said.contains("AUTH_TOKEN_SECRET_FILE"), "{said}");
    }
    for text in ["https://vault.example/v1/secret/data/auth", "${AUTH_TOKEN_SECRET_OF_THE_ENVIRONMENT}"] {
        let said = refusal(&[("AUTH_TOKEN_SECRET", text)], "AUTH_TOKEN_SECRET");
        assert!(said.contains("placeholder"), "{said}");
    }
}

#[test]
fn a_secret_given_in_place_of_a_path_is_not_repeated() {
    let private_key = include_str!("../../../../../crates/auth-jwt/tests/keys/p256.pem");
    for variable in [
        "AUTH_TOKEN_SECRET_FILE",
        "AUTH_TOKEN_PRIVATE_KEY_FILE",
        "AUTH_TOKEN_VERIFY_KEY_FILES",
        "AUTH_TOKEN_VERIFY_SECRET_FILES",
        "AUTH_DATABASE_URL_FILE",
    ] {
        for value in [STRONG, private_key, "postgres://auth:hunter2@db.example/auth"] {
            let said = load(&[(variable, value)]).unwrap_err().to_string();
            assert!(said.contains(variable), "{said}");
            assert!(!said.contains(value) && !said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn private_keys_in_the_older_forms_sign() {
    let folder = TempDir::new().unwrap();
    for (key, algorithm) in [
        (include_str!("../../../../../crates/auth-jwt/tests/keys/forms/p256-sec1-with-parameters.pem"), "ES256"),
        (include_str!("../../../../../crates/auth-jwt/tests/keys/forms/rsa-pkcs1-private.pem"), "RS256"),
    ] {
        let file = written(&folder, "key", key.as_bytes());
        let config = load(&[("AUTH_TOKEN_PRIVATE_KEY_FILE", &file)]).unwrap();
        let SigningSource::Key { key, .. } = config.signing else { panic!("no key is set") };
        assert_eq!(key.algorithm(), algorithm);
    }
}
