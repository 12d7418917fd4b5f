//! Commands of an operator on accounts and letters.

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Server, member, operate};

const ADA: &str = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
const LOGIN: &str = r#"{"email":"ada@example.com","password":"123456"}"#;

fn succeed(folder: &TempDir, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    let (code, said, errors) = operate(folder, settings, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}{errors}");
    said
}

fn array(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn a_user_is_found_by_address_name_and_id_and_shown_with_the_last_login() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    let (_, answer) = server.call("POST", "/auth/register", None, ADA);
    let id = member(&answer, "public_id");
    for who in ["ada@example.com", "ADA@Example.com", "ada", "Ada", &id] {
        let found = succeed(&folder, &[], &["user", "find", who]);
        let columns: Vec<&str> = found.trim_end().split('\t').collect();
        assert_eq!(columns, [&id, "user", "enabled", "ada@example.com", "ada", "unverified", "-", "-"], "{who}");
    }
    server.call("POST", "/auth/login", None, LOGIN);
    let found = array(&succeed(&folder, &[], &["user", "find", "ada", "--json"]));
    assert_eq!((found.len(), &found[0]["email"], &found[0]["public_id"]), (1, &"ada@example.com".into(), &id.into()));
    assert!(found[0]["last_login_at"].as_str().is_some_and(|at| at.starts_with("20")), "{found:?}");
    let (code, said, errors) = operate(&folder, &[], &["user", "find", "eve", "--json"]);
    assert_eq!((code, said.as_str()), (1, "[]\n"), "{errors}");
    assert!(errors.contains("there is no such user"), "{errors}");
}

#[test]
fn one_text_may_find_the_address_of_one_user_and_the_name_of_another() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    server.call("POST", "/auth/register", None, ADA);
    let eve = r#"{"email":"eve@example.com","username":"ada@example.com","password":"123456"}"#;
    assert_eq!(server.call("POST", "/auth/register", None, eve).0, 201);
    let found = succeed(&folder, &[], &["user", "find", "ada@example.com"]);
    assert_eq!(found.lines().count(), 2, "{found}");
    let promoted = succeed(&folder, &[], &["user", "promote", "ada@example.com"]);
    assert!(promoted.contains("\tada@example.com\tada\t"), "a change goes by the address alone: {promoted}");
}

#[test]
fn an_operator_lists_and_deletes_the_personal_tokens_of_a_user() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[("AUTH_USER_SCOPES", "orders:read")]);
    let login = member(&server.call("POST", "/auth/register", None, ADA).1, "Authorization");
    assert_eq!(succeed(&folder, &[], &["token", "list", "ada@example.com"]), "");
    let (status, made) = server.call("POST", "/user/me/tokens", Some(&login), r#"{"name":"backup"}"#);
    assert_eq!(status, 201, "{made}");
    let (id, token) = (member(&made, "id"), member(&made, "token"));
    assert_eq!(server.call("GET", "/auth/verify", Some(&token), "").0, 200);

    let listed = succeed(&folder, &[], &["token", "list", "ada@example.com"]);
    assert!(listed.starts_with(&format!("{id}\t")) && listed.ends_with("\tbackup\torders:read\n"), "{listed}");
    let shown = array(&succeed(&folder, &[], &["token", "list", "ada@example.com", "--json"]));
    assert_eq!((shown.len(), &shown[0]["id"], &shown[0]["name"]), (1, &id.as_str().into(), &"backup".into()));
    assert_eq!(shown[0]["scopes"], serde_json::json!(["orders:read"]));
    assert!(!listed.contains(&token) && !shown[0].to_string().contains(&token));

    let (code, _, errors) = operate(&folder, &[], &["token", "delete", "ada@example.com", "no-id"]);
    assert!(code == 2 && errors.contains("<TOKEN>"), "{errors}");
    let said = succeed(&folder, &[], &["token", "delete", "ada@example.com", &id]);
    assert_eq!(said, format!("deleted personal access token {id}\n"));
    assert_eq!(succeed(&folder, &[], &["token", "list", "ada@example.com", "--json"]), "[]\n");
    let (code, _, errors) = operate(&folder, &[], &["token", "delete", "ada@example.com", &id]);
    assert!(code == 1 && errors.contains("the user has no such personal access token"), "{errors}");
    // A node that has read the log refuses the token from its first request on.
    assert_eq!(server.terminate().0.code(), Some(0));
    let server = Server::start(&folder, &[]);
    assert_eq!(server.call("GET", "/auth/verify", Some(&token), "").0, 401);
}

#[test]
fn an_operator_gives_a_role_and_takes_it_with_the_tokens() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[]);
    server.call("POST", "/auth/register", None, ADA);
    let said = succeed(&folder, &[], &["user", "role", "add", "ada@example.com", "editor"]);
    assert!(said.ends_with("\teditor\n"), "{said}");
    let found = array(&succeed(&folder, &[], &["user", "find", "ada", "--json"]));
    assert_eq!(found[0]["roles"], serde_json::json!(["editor"]));
    let token = member(&server.call("POST", "/auth/login", None, LOGIN).1, "Authorization");
    let (status, claims) = server.call("GET", "/auth/verify", Some(&token), "");
    assert!(status == 200 && claims.contains(r#""roles":["editor"]"#), "{claims}");

    let said = succeed(&folder, &[], &["user", "role", "remove", "ada@example.com", "editor"]);
    assert!(said.ends_with("\t-\n"), "{said}");
    let (code, _, errors) = operate(&folder, &[], &["user", "role", "add", "nobody@example.com", "editor"]);
    assert!(code == 1 && errors.contains("there is no such user"), "{errors}");
    // A node that has read the log refuses the token from its first request on.
    assert_eq!(server.terminate().0.code(), Some(0));
    let server = Server::start(&folder, &[]);
    assert_eq!(server.call("GET", "/auth/verify", Some(&token), "").0, 401);
}

#[test]
fn a_deleted_user_is_shown_first_and_the_tokens_are_dead() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[]);
    let (_, answer) = server.call("POST", "/auth/register", None, ADA);
    let (token, id) = (member(&answer, "Authorization"), member(&answer, "public_id"));
    let (code, said, errors) = operate(&folder, &[], &["user", "delete", "ada@example.com"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("\tada@example.com\tada\t"), "{said}");
    assert!(errors.contains("nothing was deleted: pass --yes"), "{errors}");
    assert_eq!(server.call("GET", "/user/me", Some(&token), "").0, 200);

    let said = succeed(&folder, &[], &["user", "delete", "ada@example.com", "--yes"]);
    assert!(said.ends_with(&format!("deleted user {id}\n")), "{said}");
    assert_eq!(server.call("POST", "/auth/login", None, LOGIN).0, 401);
    assert_eq!(operate(&folder, &[], &["user", "delete", &id, "--yes"]).0, 1);
    // A node that has read the log refuses the token from its first request on.
    assert_eq!(server.terminate().0.code(), Some(0));
    let server = Server::start(&folder, &[]);
    assert_eq!(server.call("GET", "/auth/verify", Some(&token), "").0, 401);
}

#[test]
fn an_operator_vouches_for_an_address_and_ends_the_waits_of_an_account() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[("AUTH_REQUIRE_VERIFIED_EMAIL", "login")]);
    assert_eq!(server.call("POST", "/auth/register", None, ADA).0, 201);
    assert_eq!(server.call("POST", "/auth/login", None, LOGIN).0, 403);
    let said = succeed(&folder, &[], &["user", "verify-email", "ada@example.com"]);
    assert!(said.contains("\tverified\t"), "{said}");
    assert_eq!(server.call("POST", "/auth/login", None, LOGIN).0, 200);

    let wrong = LOGIN.replace("123456", "wrong");
    let statuses: Vec<u16> = (0..12).map(|_| server.call("POST", "/auth/login", None, &wrong).0).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    succeed(&folder, &[], &["user", "unlock", "ada@example.com"]);
    assert_eq!(server.call("POST", "/auth/login", None, LOGIN).0, 200);
}

#[test]
fn development_shows_the_letter_in_the_log_and_its_code_confirms_the_address() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[("AUTH_LOG_FORMAT", "json")]);
    let (_, answer) = server.call("POST", "/auth/register", None, ADA);
    let token = member(&answer, "Authorization");
    let line: Value = serde_json::from_str(&server.wait_for_line("verify-email?token=")).unwrap();
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
    assert_eq!(text("to"), "ada@example.com");
    assert!(text("link").contains("/account/verify-email?token=rao_"), "{line}");
    assert!(std::fs::read_to_string(text("page")).unwrap().contains("rao_"), "the page is there to open");
    let body = format!(r#"{{"email":"ada@example.com","code":"{}"}}"#, text("code"));
    let (status, answer) = server.call("POST", "/auth/email/verify", None, &body);
    assert_eq!(status, 200, "{answer}");
    assert!(server.call("GET", "/user/me", Some(&token), "").1.contains("\"email_verified\":true"));
    let (_, metrics) = server.call("GET", "/metrics", None, "");
    assert!(metrics.lines().any(|line| line == "auth_mail_sent_total 1"), "{metrics}");
    assert_eq!(succeed(&folder, &[], &["mail", "queue"]), "");
    assert_eq!(server.terminate().0.code(), Some(0));
}

#[test]
fn letters_that_cannot_be_sent_wait_in_the_queue() {
    let folder = TempDir::new().unwrap();
    // Nobody listens at the port for discarding data.
    let unreachable = [("AUTH_MAIL", "smtp://127.0.0.1:9?tls=none")];
    let mut server = Server::start(&folder, &unreachable);
    assert_eq!(server.call("POST", "/auth/register", None, ADA).0, 201);
    server.wait_for_line("a letter could not be sent");
    assert_eq!(server.terminate().0.code(), Some(0));
    assert!(!server.output.contains("rao_"), "{}", server.output);

    let queue = succeed(&folder, &unreachable, &["mail", "queue"]);
    let columns: Vec<&str> = queue.trim_end().split('\t').collect();
    assert_eq!((columns[1], columns[3], columns[6]), ("verify_email", "ada@example.com", "1"), "{queue}");
    let letters = array(&succeed(&folder, &unreachable, &["mail", "queue", "--json"]));
    assert_eq!((&letters[0]["kind"], &letters[0]["attempts"]), (&"verify_email".into(), &1.into()));
    assert!(!queue.contains("rao_"));
}

#[test]
fn a_test_letter_goes_the_way_of_all_letters_past_the_queue() {
    let folder = TempDir::new().unwrap();
    let to_files = [("AUTH_MAIL", "file"), ("AUTH_MAIL_NAME", "Orchard")];
    let said = succeed(&folder, &to_files, &["mail", "test", "ada@example.com", "--language", "ko"]);
    assert_eq!(said, "sent a letter to ada@example.com by file\n");
    let letters: Vec<_> =
        folder.path().join("data/mail").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    let message = letters.iter().find(|path| path.extension().is_some_and(|extension| extension == "eml")).unwrap();
    assert!(std::fs::read_to_string(message).unwrap().contains("To: ada@example.com"), "{letters:?}");

    for (settings, to, error) in [
        (&[("AUTH_MAIL", "off")][..], "ada@example.com", "set AUTH_MAIL"),
        (&to_files, "nobody", "ADDRESS is not a valid e-mail address"),
        (&[("AUTH_MAIL", "smtp://127.0.0.1:9?tls=none")], "ada@example.com", "could not be sent"),
    ] {
        let (code, said, errors) = operate(&folder, settings, &["mail", "test", to]);
        assert_eq!((code, said.as_str()), (1, ""), "{errors}");
        assert!(errors.contains(error), "{errors}");
    }
    assert_eq!(operate(&folder, &to_files, &["mail", "test", "a@b.example", "--language", "../x"]).0, 2);
}

#[test]
fn every_list_is_an_array_for_programs() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    server.call("POST", "/auth/register", None, ADA);
    for (arguments, entries, member) in [
        (&["user", "list"][..], 1, "public_id"),
        (&["user", "find", "ada"], 1, "email_verified"),
        (&["session", "list", "ada@example.com"], 1, "expires_at"),
        (&["config", "show"], 50, "variable"),
        (&["migrate", "status"], 7, "applied"),
    ] {
        let listed = array(&succeed(&folder, &[], &[arguments, &["--json"]].concat()));
        assert!(listed.len() >= entries, "{arguments:?}: {listed:?}");
        assert!(listed.iter().all(|entry| entry.get(member).is_some()), "{arguments:?}: {listed:?}");
    }
}

#[test]
fn a_script_for_each_shell_is_printed_without_a_configuration() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(&folder, &[("AUTH_ENV", "none of the profiles")], &["completions", shell]);
        assert!(script.contains("auth-server") && script.contains("verify-email"), "{shell}");
    }
}
