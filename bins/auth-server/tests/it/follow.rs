//! `auth-server follow` beside a server: what a gateway is answered, and what happens when the server goes away.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Server, command, member, operate};

const MASTER: (&str, &str) = ("AUTH_MASTER_KEY", "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=");
const FEED: (&str, &str) = ("AUTH_FEED", "on");
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with a feed.
fn server(folder: &TempDir) -> Server {
    Server::start(folder, &[MASTER, FEED])
}

/// A sidecar of a server, in a folder of its own. It has no database and no key.
fn sidecar(folder: &TempDir, server: &Server, of_server: &TempDir, settings: &[(&str, &str)]) -> Server {
    let (code, created, _) =
        operate(of_server, &[MASTER], &["client", "create", "gateway", "--scope", "revocations", "--json"]);
    assert_eq!(code, 0);
    let (id, secret) = (member(&created, "client_id"), member(&created, "client_secret"));
    let settings =
        [&[("AUTH_FOLLOW_CLIENT_ID", id.as_str()), ("AUTH_FOLLOW_CLIENT_SECRET", secret.as_str())], settings].concat();
    let issuer = format!("http://{}", server.address);
    Server::spawn_as(command(folder), &settings, &["follow", "--issuer", &issuer])
}

fn status(of: &Server, path: &str, token: Option<&str>) -> u16 {
    of.call("GET", path, token, "").0
}

/// Asks until the answer has this status.
#[expect(clippy::disallowed_methods, reason = "a limit for a process that is stuck")]
fn until(of: &Server, path: &str, token: Option<&str>, expected: u16) {
    let begun = Instant::now();
    while status(of, path, token) != expected {
        assert!(begun.elapsed() < PATIENCE, "{path} never was {expected}:\n{}", of.output);
    }
}

#[test]
fn a_sidecar_answers_as_the_server_does_and_refuses_what_was_logged_out() {
    let (of_server, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut server = server(&of_server);
    let mut sidecar = sidecar(&folder, &server, &of_server, &[]);
    until(&sidecar, "/readyz", None, 200);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let token = member(&server.call("POST", "/auth/register", None, account).1, "Authorization");
    let here = sidecar.call("GET", "/auth/verify", Some(&token), "");
    assert_eq!(here, server.call("GET", "/auth/verify", Some(&token), ""));
    assert_eq!(here.0, 200);
    assert_eq!(sidecar.call("POST", "/auth/verify/reports?year=1", Some(&token), "").0, 200, "as Envoy asks");
    for (token, code) in [(None, "token_missing"), (Some("no token"), "token_invalid")] {
        let (status, body) = sidecar.call("GET", "/auth/verify", token, "");
        assert_eq!((status, member(&body, "code").as_str()), (401, code));
    }
    assert_eq!(status(&sidecar, "/livez", None), 200);
    assert_eq!(status(&sidecar, "/user/me", Some(&token)), 404);
    assert_eq!(sidecar.call("DELETE", "/auth/verify", Some(&token), "").0, 405);

    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    until(&sidecar, "/auth/verify", Some(&token), 401);
    let (_, body) = sidecar.call("GET", "/auth/verify", Some(&token), "");
    assert_eq!(member(&body, "code"), "token_revoked");
    let (_, metrics) = sidecar.call("GET", "/metrics", None, "");
    for line in ["auth_follow_bound_seconds 5", "auth_follow_fresh 1", "auth_follow_keys 1"] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line} is not in {metrics}");
    }
    assert!(sidecar.terminate().0.success());
    assert!(server.terminate().0.success());
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it writes no file");
}

#[test]
fn a_sidecar_without_its_server_answers_503_past_the_bound_and_goes_on_refusing() {
    let (of_server, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut server = server(&of_server);
    let sidecar = sidecar(&folder, &server, &of_server, &[("AUTH_FOLLOW_MAX_STALENESS", "3s")]);
    until(&sidecar, "/readyz", None, 200);
    let account = |name: &str| format!(r#"{{"email":"{name}@example.com","username":"{name}","password":"123456"}}"#);
    let register = |name: &str| member(&server.call("POST", "/auth/register", None, &account(name)).1, "Authorization");
    let (gone, good) = (register("gone"), register("good"));
    assert_eq!(status(&sidecar, "/auth/verify", Some(&good)), 200);
    assert_eq!(server.call("POST", "/auth/logout", Some(&gone), "").0, 200);
    until(&sidecar, "/auth/verify", Some(&gone), 401);

    assert!(server.terminate().0.success(), "a follower that waits does not delay the stop");
    until(&sidecar, "/auth/verify", Some(&good), 503);
    assert_eq!(status(&sidecar, "/auth/verify", Some(&gone)), 401);
    assert_eq!(status(&sidecar, "/readyz", None), 503);
    assert_eq!(status(&sidecar, "/livez", None), 200);
}

#[test]
fn a_sidecar_that_lacks_a_setting_names_it() {
    let folder = TempDir::new().unwrap();
    let (code, _, error) = operate(&folder, &[], &["follow", "--issuer", "https://auth.example"]);
    assert_eq!(code, 78, "{error}");
    assert!(error.contains("AUTH_FOLLOW_CLIENT_ID: must be set"), "{error}");
    let set = [("AUTH_FOLLOW_CLIENT_ID", "rac_x"), ("AUTH_FOLLOW_CLIENT_SECRET", "ras_x")];
    let (code, _, error) = operate(&folder, &set, &["follow", "--issuer", "http://auth.example"]);
    assert!(code != 0 && error.contains("https"), "{error}");
}
