//! Commands of an operator.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use auth_core::blacklist::{Position, RevocationReason, RevocationTarget};
use auth_core::{Clock as _, Revocation, RevocationLog as _, RevocationSource as _, SystemClock, TokenId};
use auth_storage::{ConnectOptions, SeaRevocationLog};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::process::{PASSWORD, STRONG_SECRET, Server, command, member, operate};

#[test]
fn an_operator_sets_a_password_while_the_server_runs_and_old_tokens_end() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let (_, answer) = server.call("POST", "/auth/register", None, account);
    let token = member(&answer, "Authorization");
    let set_password = |input: &str| {
        let mut set = command(&folder);
        set.args(["user", "set-password", "ada@example.com", "--stdin"]).stdin(Stdio::piped());
        let mut set = set.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        set.wait_with_output().unwrap()
    };
    let refused = set_password("12345\n");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("the password must have at least 6 characters"), "{said}");
    assert_eq!(server.call("GET", "/auth/verify", Some(&token), "").0, 200);

    let done = set_password(&format!("{PASSWORD}\n"));
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("ada@example.com") && !said.contains(PASSWORD), "{said}");
    let old = account.replace(r#","username":"ada""#, "");
    assert_eq!(server.call("POST", "/auth/login", None, &old).0, 401);
    assert_eq!(server.call("POST", "/auth/login", None, &old.replace("123456", PASSWORD)).0, 200);
    // A node that has read the log refuses the token from its first request on.
    drop(server);
    let server = Server::start(&folder, &[]);
    let (status, answer) = server.call("GET", "/auth/verify", Some(&token), "");
    assert_eq!((status, member(&answer, "code").as_str()), (401, "token_revoked"));
}

#[test]
fn retiring_the_key_ends_the_tokens_that_a_restored_backup_would_bring_back() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let login = r#"{"email":"ada@example.com","password":"123456"}"#;
    let verified = |server: &Server, token: &str| server.call("GET", "/auth/verify", Some(token), "");
    let mut server = Server::start(&folder, &[]);
    let (_, answer) = server.call("POST", "/user/", None, account);
    let token = member(&answer, "Authorization");
    assert_eq!(server.terminate().0.code(), Some(0));
    let backup = std::fs::read(data.join("auth.db")).unwrap();

    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    assert_eq!(member(&verified(&server, &token).1, "code"), "token_revoked");
    assert_eq!(server.terminate().0.code(), Some(0));
    std::fs::write(data.join("auth.db"), backup).unwrap();
    let mut server = Server::start(&folder, &[]);
    assert_eq!(verified(&server, &token).0, 200, "the backup knows nothing of the logout");
    assert_eq!(server.terminate().0.code(), Some(0));

    let old = std::fs::read_to_string(data.join("token-secret")).unwrap();
    let (code, said, _) = operate(&folder, &[], &["key", "retire"]);
    assert_eq!(code, 0, "{said}");
    let aside = said.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert_eq!(std::fs::read_to_string(aside).unwrap(), old, "the old secret was kept");
    let mut server = Server::start(&folder, &[]);
    let (status, answer) = verified(&server, &token);
    assert_eq!((status, member(&answer, "code").as_str()), (401, "token_invalid"));
    let (status, answer) = server.call("POST", "/auth/login", None, login);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(verified(&server, &member(&answer, "Authorization")).0, 200);
    assert_eq!(server.terminate().0.code(), Some(0));

    // If the new secret is listed as a further key, retiring it would end no token.
    let file = data.join("token-secret").display().to_string();
    let (code, _, errors) = operate(&folder, &[("AUTH_TOKEN_VERIFY_SECRET_FILES", &file)], &["key", "retire"]);
    assert!(code == 1 && errors.contains("AUTH_TOKEN_VERIFY_SECRET_FILES"), "{errors}");
}

#[test]
fn an_operator_lists_and_ends_sessions_while_the_server_runs() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    let account = |name: &str| format!(r#"{{"email":"{name}@example.com","username":"{name}","password":"123456"}}"#);
    let (_, ada) = server.call("POST", "/auth/register", None, &account("ada"));
    server.call("POST", "/auth/register", None, &account("bob"));
    let login = |name: &str| {
        let body = format!(r#"{{"email":"{name}@example.com","password":"123456","session":"refresh"}}"#);
        member(&server.call("POST", "/auth/login", None, &body).1, "refresh_token")
    };
    let refresh = |token: &str| {
        let (status, answer) = server.call("POST", "/auth/refresh", None, &format!(r#"{{"refresh_token":"{token}"}}"#));
        (status, if status == 200 { member(&answer, "refresh_token") } else { member(&answer, "code") })
    };
    let (token, of_bob) = (login("ada"), login("bob"));
    let sessions = |user: &str| {
        let (code, said, errors) = operate(&folder, &[], &["session", "list", user]);
        assert_eq!(code, 0, "{errors}");
        said
    };
    let listed = sessions("ada@example.com");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.lines().all(|line| line.split('\t').count() == 6 && line.contains("127.0.0.1")), "{listed}");
    assert_eq!(sessions(&member(&ada, "public_id")), listed);

    // The session that was used last comes first.
    let id = listed.split('\t').next().unwrap();
    let end = |arguments: &[&str]| operate(&folder, &[], &[&["session"], arguments].concat());
    let (code, said, errors) = end(&["end", "bob@example.com", id]);
    assert!(code == 1 && errors.contains("the user has no such session"), "{said}{errors}");
    assert_eq!(end(&["end", "ada@example.com", id]).1, format!("ended session {id}\n"));
    assert_eq!(refresh(&token), (401, "session_ended".to_owned()));
    assert_eq!(sessions("ada@example.com").lines().count(), 1);
    let (code, said, _) = end(&["end", "ada@example.com"]);
    assert!(code == 0 && said.starts_with("ended every token of user "), "{said}");
    assert_eq!(sessions("ada@example.com"), "");

    let (status, of_bob) = refresh(&of_bob);
    assert_eq!(status, 200);
    assert_eq!(end(&["end-all"]).1, "ended every token of 2 users\n");
    assert_eq!(refresh(&of_bob), (401, "session_ended".to_owned()));
}

#[test]
fn a_key_that_the_operator_set_is_left_alone_and_its_variable_is_named() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, STRONG_SECRET).unwrap();
    let file = secret.display().to_string();
    for (variable, value) in [("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_TOKEN_SECRET_FILE", &file)] {
        let (code, said, errors) = operate(&folder, &[(variable, value)], &["key", "retire"]);
        assert_eq!((code, said.as_str()), (1, ""), "{errors}");
        assert!(errors.contains(&format!("set in {variable};")) && !errors.contains(STRONG_SECRET), "{errors}");
    }
    let (code, _, errors) = operate(&folder, &[], &["key", "retire"]);
    assert!(code == 1 && errors.contains("AUTH_DATA_DIR"), "{errors}");
    let files: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["secret"], "nothing was made");
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), STRONG_SECRET);
}

#[test]
fn a_purge_by_hand_removes_what_has_expired_and_nothing_else() {
    const EXPIRED: u64 = 2_500;
    let folder = TempDir::new().unwrap();
    let (code, _, errors) = operate(&folder, &[], &["token", "purge"]);
    assert!(code == 1 && errors.contains("migrate up"), "{errors}");
    assert_eq!(operate(&folder, &[], &["migrate", "up"]).0, 0);

    let url = format!("sqlite://{}", folder.path().join("data/auth.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(auth_storage::connect(&url, ConnectOptions::default())).unwrap();
    let log = SeaRevocationLog::new(database.clone());
    let now = SystemClock.now();
    // An entry that expired an hour ago is kept, in case a clock is wrong.
    let mut entries = vec![revocation(now + Duration::from_secs(3_600)), revocation(now - Duration::from_secs(3_600))];
    entries.extend((0..EXPIRED).map(|_| revocation(now - Duration::from_secs(86_400))));
    assert_eq!(runtime.block_on(log.append(&entries)).unwrap(), EXPIRED + 2);

    let (code, said, errors) = operate(&folder, &[], &["token", "purge"]);
    assert_eq!((code, said.as_str()), (0, "removed 2500 entries\n"), "{errors}");
    assert!(!errors.contains(['\r', '\u{1b}']), "a bar where there is no terminal: {errors:?}");
    let left = runtime.block_on(log.read_after(Position(0), 10)).unwrap().entries;
    let left: Vec<_> = left.into_iter().map(|entry| entry.revocation.target).collect();
    assert_eq!(left, [entries[0].target, entries[1].target]);
    assert_eq!(operate(&folder, &[], &["token", "purge"]).1, "removed 0 entries\n");
    runtime.block_on(database.close()).unwrap();
}

#[test]
fn lost_revocations_are_appended_again_and_no_server_is_ready_until_that_is_acknowledged() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    let (_, answer) = server.call("POST", "/auth/register", None, account);
    let token = member(&answer, "Authorization");
    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
    assert_eq!(operate(&folder, &[], &["token", "acknowledge-loss"]).1, "no loss is recorded; nothing was changed\n");

    // A failover to a standby that lagged has this effect.
    let url = format!("sqlite://{}", folder.path().join("data/auth.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(auth_storage::connect(&url, ConnectOptions::default())).unwrap();
    let lost = "BEGIN IMMEDIATE; DELETE FROM auth_blacklist; UPDATE auth_blacklist_head SET position = 0; COMMIT";
    runtime.block_on(database.connection().execute_unprepared(lost)).unwrap();

    let line = server.wait_for_line("lost entries that were acknowledged");
    assert!(line.contains("ERROR") && line.contains("key retire") && line.contains("acknowledge-loss"), "{line}");
    assert_eq!(server.call("GET", "/readyz", None, "").0, 503);
    let (_, metrics) = server.call("GET", "/metrics", None, "");
    for meter in ["auth_blacklist_losses_total 1", "auth_blacklist_loss_unacknowledged 1"] {
        assert!(metrics.lines().any(|line| line == meter), "{meter} is not in\n{metrics}");
    }
    assert_eq!(server.terminate().0.code(), Some(0));
    assert!(server.output.contains("revocations that the log had lost were appended again"), "{}", server.output);

    // A server that starts now reads the entry and the loss from the log.
    let mut server = Server::start(&folder, &[]);
    let (_, answer) = server.call("GET", "/auth/verify", Some(&token), "");
    assert_eq!(member(&answer, "code"), "token_revoked");
    assert_eq!(server.call("GET", "/readyz", None, "").0, 503);
    server.wait_for_line("lost entries that were acknowledged");
    let (code, said, errors) = operate(&folder, &[], &["token", "acknowledge-loss"]);
    assert!(code == 0 && said.starts_with("acknowledged the loss that was found at 20"), "{said}{errors}");
    server.wait_for_line("the loss of revocations was acknowledged");
    assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
    assert_eq!(server.terminate().0.code(), Some(0));
    runtime.block_on(database.close()).unwrap();
}

fn revocation(expires_at: OffsetDateTime) -> Revocation {
    let target = RevocationTarget::Token(TokenId::generate().unwrap());
    Revocation { target, expires_at, revoked_at: expires_at, reason: RevocationReason::Logout }
}

#[test]
fn a_stored_hash_that_makes_logins_dearer_is_told_of_once() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &[("AUTH_BCRYPT_COST", "6")]);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    assert_eq!(server.call("POST", "/auth/register", None, account).0, 201);
    assert_eq!(server.terminate().0.code(), Some(0));

    let mut server = Server::start(&folder, &[("AUTH_BCRYPT_COST", "4")]);
    let levels = |server: &Server| {
        let (_, metrics) = server.call("GET", "/metrics", None, "");
        metrics
            .lines()
            .filter(|line| line.starts_with("auth_password_login_bcrypt_rounds"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(levels(&server), r#"auth_password_login_bcrypt_rounds{level="bcrypt:4"} 16"#);
    for _ in 0..2 {
        assert_eq!(server.call("POST", "/auth/login", None, &account.replace(r#","username":"ada""#, "")).0, 200);
    }
    assert_eq!(levels(&server), r#"auth_password_login_bcrypt_rounds{level="bcrypt:6"} 64"#);
    let (_, output) = server.terminate();
    assert_eq!(output.matches("bcrypt:6").count(), 1, "{output}");
}
