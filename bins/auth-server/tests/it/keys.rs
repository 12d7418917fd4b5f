//! Managed keys of a server that runs, and the commands that an operator has for them.

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Server, command, member, operate};

const MASTER: (&str, &str) = ("AUTH_MASTER_KEY", "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=");
const NEW_MASTER: (&str, &str) = ("AUTH_MASTER_KEY", "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=");
const PREVIOUS: (&str, &str) = ("AUTH_MASTER_KEY_PREVIOUS", MASTER.1);

/// With this every check reads the log, so that a revocation is seen by the next one.
const ASKING: (&str, &str) = ("AUTH_BLACKLIST_MAX_STALENESS", "0s");

const ACCOUNT: &str = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
const LOGIN: &str = r#"{"email":"ada@example.com","password":"123456"}"#;

fn listed(folder: &TempDir) -> Vec<Value> {
    let (code, said, errors) = operate(folder, &[MASTER], &["key", "list", "--json"]);
    assert_eq!(code, 0, "{errors}");
    serde_json::from_str(&said).unwrap()
}

fn verify(server: &Server, token: &str) -> u16 {
    server.call("GET", "/auth/verify", Some(token), "").0
}

#[test]
fn the_keys_survive_a_restart_and_another_master_key_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[MASTER]);
    let (_, answer) = server.call("POST", "/user/", None, ACCOUNT);
    let token = member(&answer, "Authorization");
    assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
    let (status, output) = server.terminate();
    assert!(status.success() && output.contains("a new key was published"), "{output}");
    assert!(!folder.path().join("data/token-secret").exists(), "there is no secret");

    let (code, _, errors) = operate(&folder, &[NEW_MASTER], &["serve"]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("AUTH_MASTER_KEY") && errors.contains("another master key"), "{errors}");

    let mut server = Server::start(&folder, &[NEW_MASTER, PREVIOUS]);
    assert_eq!(verify(&server, &token), 200);
    let (_, output) = server.terminate();
    assert!(output.contains("keys were encrypted with the present master key"), "{output}");
    assert!(!output.contains(MASTER.1) && !output.contains(NEW_MASTER.1), "{output}");
    let mut server = Server::start(&folder, &[NEW_MASTER]);
    assert_eq!(verify(&server, &token), 200);
    assert_eq!(server.terminate().0.code(), Some(0));
}

#[test]
fn an_operator_lists_publishes_and_revokes_keys_while_the_server_runs() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[MASTER, ASKING]);
    let (_, answer) = server.call("POST", "/user/", None, ACCOUNT);
    let token = member(&answer, "Authorization");
    let keys = listed(&folder);
    assert_eq!((keys.len(), &keys[0]["state"], &keys[0]["algorithm"]), (1, &"signing".into(), &"EdDSA".into()));
    let first = keys[0]["kid"].as_str().unwrap().to_owned();

    let (code, said, errors) = operate(&folder, &[MASTER], &["key", "rotate"]);
    assert!(code == 0 && said.starts_with("published key ") && said.contains("signs from 20"), "{said}{errors}");
    let (code, _, errors) = operate(&folder, &[MASTER], &["key", "rotate"]);
    assert!(code == 1 && errors.contains("is published already"), "{errors}");
    let keys = listed(&folder);
    assert_eq!((keys.len(), &keys[1]["state"]), (2, &"published".into()));

    let (code, shown, errors) = operate(&folder, &[MASTER], &["key", "revoke", &first]);
    assert!(code == 1 && shown.contains(&first) && errors.contains("pass --yes to revoke"), "{shown}{errors}");
    assert_eq!(verify(&server, &token), 200, "nothing was revoked");
    let (code, said, errors) = operate(&folder, &[MASTER], &["key", "revoke", &first, "--yes"]);
    assert_eq!((code, said), (0, format!("revoked key {first}; every token that it signed ends\n")), "{errors}");
    assert_eq!(verify(&server, &token), 401);
    server.wait_for_line("signed with another key");
    let (status, answer) = server.call("POST", "/auth/login", None, LOGIN);
    assert_eq!(status, 200, "{answer}");
    let token = member(&answer, "Authorization");
    assert_eq!(verify(&server, &token), 200);

    for (kid, said) in [(first.as_str(), "was revoked before"), ("unknown", "there is no key unknown")] {
        let (code, _, errors) = operate(&folder, &[MASTER], &["key", "revoke", kid, "--yes"]);
        assert!(code == 1 && errors.contains(said), "{errors}");
    }
    let retired = operate(&folder, &[MASTER], &["key", "retire"]).1;
    assert_eq!(retired, format!("revoked key {}; every token that it signed ends\n", keys[1]["kid"].as_str().unwrap()));
    assert_eq!(verify(&server, &token), 401);
    let (code, said, _) = operate(&folder, &[NEW_MASTER, PREVIOUS], &["key", "reseal"]);
    assert_eq!((code, said.as_str()), (0, "encrypted 1 keys with AUTH_MASTER_KEY\n"));
    assert_eq!(server.terminate().0.code(), Some(0));
}

#[test]
fn without_a_master_key_the_commands_of_managed_keys_say_what_is_missing() {
    let folder = TempDir::new().unwrap();
    assert_eq!(operate(&folder, &[], &["migrate", "up"]).0, 0);
    let (code, said, errors) = operate(&folder, &[], &["key", "list"]);
    assert_eq!((code, said.as_str()), (0, ""), "{errors}");
    for arguments in [&["key", "rotate"][..], &["key", "reseal"], &["key", "revoke", "x", "--yes"]] {
        let (code, _, errors) = operate(&folder, &[], arguments);
        assert!(code == 1 && errors.contains("AUTH_MASTER_KEY is not set"), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = operate(&folder, &[MASTER, ("AUTH_TOKEN_SECRET", "x")], &["config", "check"]);
    assert!(
        code == 78 && errors.contains("AUTH_MASTER_KEY: must not be set together with AUTH_TOKEN_SECRET"),
        "{errors}"
    );
    let shown = command(&folder).env(MASTER.0, MASTER.1).args(["config", "show"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("AUTH_MASTER_KEY") && !shown.contains(MASTER.1), "{shown}");
}
