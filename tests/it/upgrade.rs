//! Databases that servers of earlier revisions wrote: their users log in, and what was logged out stays so.

use std::time::Duration;

use auth_storage::{ConnectOptions, connect};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_tests::App;
use sea_orm::ConnectionTrait as _;

auth_testing::on_every_database!(
    users_before_there_was_a_blacklist,
    a_blacklist_before_it_knew_what_was_purged,
    a_blacklist_before_there_were_attempts,
    everything_before_the_tables_had_a_prefix,
    sessions_clients_and_personal_tokens,
);

/// The key of the servers that wrote the fixtures.
const SECRET: &str = "Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4TxPq9Wd6Vj3Sk1";

/// From the clock of a test to the day after the fixtures were written.
const UNTIL_THEN: Duration = Duration::from_hours(330 * 24);

/// The same for the fixture of state 12.
const UNTIL_STATE_12: Duration = Duration::from_hours(331 * 24);

async fn users_before_there_was_a_blacklist(database: TestDatabase) {
    upgraded(database, 1).await;
}

async fn a_blacklist_before_it_knew_what_was_purged(database: TestDatabase) {
    upgraded(database, 2).await;
}

async fn a_blacklist_before_there_were_attempts(database: TestDatabase) {
    upgraded(database, 3).await;
}

async fn everything_before_the_tables_had_a_prefix(database: TestDatabase) {
    upgraded(database, 4).await;
}

async fn upgraded(database: TestDatabase, state: usize) {
    load(&database, state).await;
    let app = App::start_with(&database, &[("AUTH_TOKEN_SECRET", SECRET)]).await;
    app.advance(UNTIL_THEN);

    assert_eq!(app.try_login("bob@example.org", "staple of the horse").await.status, 200);
    let ada = app.try_login("ada@example.org", "correct horse battery").await;
    assert_eq!(ada.status, 200, "{}", ada.body);
    let ada = ada.text("Authorization");
    let users = app.get("/user/").bearer(&ada).send().await.json();
    assert_eq!(users["data"].as_array().unwrap().len(), 3, "{users}");

    let token = |name| token(database.kind(), name);
    let verify = async |token: String| app.get("/auth/verify").bearer(&token).send().await;
    assert_eq!(verify(token("live")).await.status, 200);
    if state > 1 {
        for name in ["logged out", "logged out everywhere"] {
            assert_eq!(verify(token(name)).await.text("code"), "token_revoked", "{name}");
        }
    }
    assert_eq!(app.logout(&ada).await.status, 200);
    assert_eq!(verify(ada).await.text("code"), "token_revoked");
    app.stop().await;

    let again = App::start_with(&database, &[("AUTH_TOKEN_SECRET", SECRET)]).await;
    again.advance(UNTIL_THEN);
    assert_eq!(again.try_login("bob@example.org", "staple of the horse").await.status, 200);
}

async fn sessions_clients_and_personal_tokens(database: TestDatabase) {
    load(&database, 12).await;
    let settings = [("AUTH_TOKEN_SECRET", SECRET), ("AUTH_USER_SCOPES", "orders:read")];
    let app = App::start_with(&database, &settings).await;
    app.advance(UNTIL_STATE_12);
    app.read_log().await;
    let kept = |name| kept(database.kind(), "000012.tokens.txt", name);
    let code = async |name| {
        let answer = app.get("/auth/verify").bearer(&kept(name)).send().await;
        if answer.status == 200 { "good".to_owned() } else { answer.text("code") }
    };
    assert_eq!(code("live").await, "good");
    for name in ["logged out", "logged out everywhere"] {
        assert_eq!(code(name).await, "token_revoked", "{name}");
    }
    let renewed = app.refresh(&kept("refresh")).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    assert_eq!(app.refresh(&kept("ended refresh")).await.status, 401);

    assert_eq!(code("personal").await, "good");
    let users = async |token: &str| app.get("/user/").bearer(token).send().await.status;
    assert_eq!(users(&renewed.text("Authorization")).await, 200, "ada is an admin");
    assert_eq!((code("personal admin").await.as_str(), users(&kept("personal admin")).await), ("good", 403));

    let client = kept("client");
    let (id, secret) = client.split_once(':').unwrap();
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let granted = app.post("/oauth/token").body("application/x-www-form-urlencoded", form.as_bytes()).send().await;
    assert_eq!((granted.status, granted.text("scope")), (200, "orders:read".to_owned()), "{}", granted.body);
}

async fn load(database: &TestDatabase, state: usize) {
    let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
    let dump = fixture(database.kind(), &format!("{state:06}.sql"));
    for statement in dump.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        opened.connection().execute_unprepared(statement).await.unwrap();
    }
    opened.close().await.unwrap();
}

fn token(kind: TestDatabaseKind, name: &str) -> String {
    kept(kind, "tokens.txt", name)
}

/// A token or a secret that a server of that time gave out.
fn kept(kind: TestDatabaseKind, file: &str, name: &str) -> String {
    let all = fixture(kind, file);
    let found = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap().to_owned()
}

fn fixture(kind: TestDatabaseKind, file: &str) -> String {
    let folder = match kind {
        TestDatabaseKind::Sqlite => "sqlite",
        TestDatabaseKind::Postgres => "postgres",
        TestDatabaseKind::MySql => "mysql",
    };
    let path = format!("{}/../migrations/tests/fixtures/{folder}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}
