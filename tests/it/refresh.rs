//! Sessions with a refresh token: logging in, renewing, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use auth_core::StoreError;
use auth_core::memory::MemoryStore;
use auth_server::ServerStores;
use auth_testing::databases::TestDatabase;
use auth_tests::{App, FailingLog, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    a_refresh_token_is_exchanged_for_the_next_one_on_any_node,
    logging_out_any_access_token_ends_its_session_on_every_node,
    every_refresh_token_that_is_not_accepted_gets_one_answer,
    many_refreshes_at_once_on_two_nodes_get_one_successor,
    a_token_that_is_used_again_later_ends_the_session_on_every_node,
);

const MINUTE: Duration = Duration::from_mins(1);

/// Checks that a refresh was refused, with the one answer that all reasons have.
fn assert_session_ended(answer: &Response, what: &str) {
    assert_refused(answer, 401, "session_ended", what);
    let expected = json!({
        "status": "fail", "message": "The session has ended. Please log in again.", "code": "session_ended",
    });
    assert_eq!(answer.json(), expected, "{what}");
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"auth\""), "{what}: no access token was sent");
}

async fn verified(app: &App, token: &str) -> String {
    let answer = app.get("/auth/verify").bearer(token).send().await;
    if answer.status == 200 { "good".to_owned() } else { answer.text("code") }
}

#[tokio::test]
async fn a_login_that_asks_for_nothing_is_answered_as_ever() {
    let app = App::in_memory().await;
    let registered = app.register("ada").await;
    let credentials = json!({ "email": "ada@example.com", "password": App::PASSWORD });
    let mut with_token = credentials.clone();
    with_token["session"] = json!("token");
    for body in [credentials, with_token] {
        let answer = app.post("/auth/login").json(&body).send().await;
        let (token, id) = (answer.text("Authorization"), registered.text("public_id"));
        let expected = format!(
            "{{\"status\":\"success\",\"message\":\"Successfully logged in.\",\"Authorization\":\"{token}\",\
             \"token_type\":\"Bearer\",\"expires_in\":86400,\"public_id\":\"{id}\"}}"
        );
        assert_eq!(answer.body, expected);
    }
}

#[tokio::test]
async fn whoever_proves_a_password_may_ask_for_a_refresh_token() {
    let app = App::in_memory().await;
    let check = async |answer: Response, status: u16| {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.json()["expires_in"], 15 * 60, "{}", answer.body);
        assert_eq!(answer.json()["refresh_expires_in"], 30 * 24 * 60 * 60);
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(app.refresh(&answer.text("refresh_token")).await.status, 200);
        answer.text("Authorization")
    };
    for (path, name) in [("/auth/register", "ada"), ("/user/", "bob"), ("/user", "eve")] {
        let body = json!({
            "email": format!("{name}@example.com"), "username": name, "password": App::PASSWORD, "session": "refresh",
        });
        check(app.post(path).json(&body).send().await, 201).await;
    }
    let token = check(app.login_to_refresh("ada").await, 200).await;
    let change =
        json!({ "current_password": App::PASSWORD, "new_password": "a staple for every horse", "session": "refresh" });
    check(app.post("/user/me/password").bearer(&token).json(&change).send().await, 200).await;
}

#[tokio::test]
async fn a_refresh_is_answered_as_a_login() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let login = app.login_to_refresh("ada").await;
    let answer = app.refresh(&login.text("refresh_token")).await;
    assert_eq!((answer.status, answer.header("Cache-Control")), (200, Some("no-store")));
    let shape = |answer: &Response| {
        let mut body = answer.json();
        for member in ["Authorization", "refresh_token"] {
            assert!(body[member].as_str().is_some_and(|text| text.len() > 90), "{}", answer.body);
            body[member] = Value::Null;
        }
        body["message"] = Value::Null;
        body
    };
    assert_eq!(shape(&answer), shape(&login));
    assert_eq!(answer.text("message"), "Successfully refreshed.");
    assert_ne!(answer.text("refresh_token"), login.text("refresh_token"));
}

#[tokio::test]
async fn an_unknown_way_is_named_before_any_work_is_done() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let token = app.login("ada").await;
    for word in [json!("basic"), json!("Refresh"), json!(""), json!(null), json!(["refresh"])] {
        let registration =
            json!({ "email": "bob@example.com", "username": "bob", "password": "123456", "session": word });
        let login = json!({ "email": "ada@example.com", "password": "wrong", "session": word });
        let change = json!({ "current_password": "123456", "new_password": "654321", "session": word });
        for (path, body) in [
            ("/auth/register", &registration),
            ("/user/", &registration),
            ("/auth/login", &login),
            ("/user/me/password", &change),
        ] {
            let answer = app.post(path).bearer(&token).json(body).send().await;
            assert_refused(&answer, 400, "validation_failed", path);
            let errors = answer.json()["errors"].clone();
            let rule = errors["session"].as_str().unwrap_or_else(|| panic!("{path}: {}", answer.body));
            assert_eq!(errors.as_object().map(serde_json::Map::len), Some(1), "{path}");
            assert!(!word.is_string() || rule == "'session' must be one of: token, refresh, cookie", "{path}: {rule}");
        }
    }
    assert_eq!(app.try_login("ada@example.com", App::PASSWORD).await.status, 200);
    assert_eq!(app.try_login("bob@example.com", App::PASSWORD).await.status, 401, "nobody was registered");
}

#[tokio::test]
async fn a_body_without_a_refresh_token_names_it() {
    let app = App::in_memory().await;
    for body in [json!({}), json!({ "refresh_token": 7 }), json!({ "refresh_token": null })] {
        let answer = app.post("/auth/refresh").json(&body).send().await;
        assert_refused(&answer, 400, "validation_failed", "no token");
        assert!(answer.json()["errors"]["refresh_token"].is_string(), "{}", answer.body);
    }
    assert_eq!(app.post("/auth/refresh?x=1").json(&json!({ "refresh_token": "x" })).send().await.status, 400);
    assert_eq!(app.get("/auth/refresh").send().await.status, 405);
}

#[tokio::test]
async fn a_refresh_that_nobody_can_decide_is_503_and_ends_nothing() {
    let whole = App::in_memory().await;
    whole.register("ada").await;
    let token = whole.login_to_refresh("ada").await.text("refresh_token");
    let users = Arc::new(MemoryStore::new().unwrap());
    let log = Arc::new(FailingLog(|| StoreError::unavailable("dial db.internal:5432")));
    let stores = ServerStores { log: log.clone(), sessions: log, ..ServerStores::from(users) };
    let broken = App::over(stores).await;
    let answer = broken.refresh(&token).await;
    assert_refused(&answer, 503, "unavailable", "a store that cannot be reached");
    assert!(!answer.body.contains("db.internal"), "{}", answer.body);
    assert_eq!(whole.refresh(&token).await.status, 200);
}

async fn a_refresh_token_is_exchanged_for_the_next_one_on_any_node(database: TestDatabase) {
    let (here, there) = (App::start(&database).await, App::start(&database).await);
    here.register("ada").await;
    let mut latest = here.login_to_refresh("ada").await;
    for node in [&there, &here, &there] {
        for app in [&here, &there] {
            app.advance(10 * MINUTE);
        }
        let next = node.refresh(&latest.text("refresh_token")).await;
        assert_eq!(next.status, 200, "{}", next.body);
        for app in [&here, &there] {
            assert_eq!(verified(app, &latest.text("Authorization")).await, "good");
            assert_eq!(verified(app, &next.text("Authorization")).await, "good");
        }
        latest = next;
    }
}

async fn logging_out_any_access_token_ends_its_session_on_every_node(database: TestDatabase) {
    let (here, there) = (App::start(&database).await, App::start(&database).await);
    here.register("ada").await;
    let (first, other) = (here.login_to_refresh("ada").await, here.login_to_refresh("ada").await);
    let second = there.refresh(&first.text("refresh_token")).await;
    let single = there.login("ada").await;
    assert_eq!(there.logout(&first.text("Authorization")).await.status, 200);
    for node in [&here, &there] {
        for ended in [&first, &second] {
            assert_eq!(verified(node, &ended.text("Authorization")).await, "token_revoked");
            assert_session_ended(&node.refresh(&ended.text("refresh_token")).await, "logged out");
        }
        for kept in [&other.text("Authorization"), &single] {
            assert_eq!(verified(node, kept).await, "good");
        }
    }
    assert_eq!(here.refresh(&other.text("refresh_token")).await.status, 200);
}

async fn every_refresh_token_that_is_not_accepted_gets_one_answer(database: TestDatabase) {
    let app = App::start(&database).await;
    let elsewhere = App::in_memory().await;
    for node in [&app, &elsewhere] {
        node.register("ada").await;
    }
    let foreign = elsewhere.login_to_refresh("ada").await.text("refresh_token");
    assert_session_ended(&app.refresh(&foreign).await, "of another server");

    let good = app.login_to_refresh("ada").await.text("refresh_token");
    let last = good.len() - 1;
    let other_ends = "AQgwBRhxCSiy".chars().map(|end| format!("{}{end}", &good[..last]));
    let wrong = [
        good[..last].to_owned(),
        good[..good.len() / 2].to_owned(),
        good[1..].to_owned(),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        good.to_uppercase(),
        good.replace("rar_", "rar-"),
        "x".repeat(10_000),
        String::new(),
    ];
    for text in other_ends.filter(|text| *text != good).chain(wrong) {
        assert_session_ended(&app.refresh(&text).await, &text);
    }
    assert_session_ended(&app.refresh(&app.login("ada").await).await, "an access token");

    let ended = app.login_to_refresh("ada").await;
    app.logout(&ended.text("Authorization")).await;
    assert_session_ended(&app.refresh(&ended.text("refresh_token")).await, "of an ended session");
    assert_eq!(app.refresh(&good).await.status, 200, "none of these touched the session");

    let raised = app.login_to_refresh("ada").await;
    assert_eq!(app.post("/auth/logout-all").bearer(&raised.text("Authorization")).send().await.status, 200);
    assert_session_ended(&app.refresh(&raised.text("refresh_token")).await, "the generation rose");

    let disabled = app.login_to_refresh("ada").await.text("refresh_token");
    app.disable("ada").await;
    assert_session_ended(&app.refresh(&disabled).await, "of a disabled user");
    app.enable("ada").await;
    assert_session_ended(&app.refresh(&disabled).await, "of a user who was disabled");

    let idle = app.login_to_refresh("ada").await.text("refresh_token");
    app.advance(30 * 24 * 60 * MINUTE);
    assert_session_ended(&app.refresh(&idle).await, "idle for too long");
}

async fn many_refreshes_at_once_on_two_nodes_get_one_successor(database: TestDatabase) {
    let (here, there) = (App::start(&database).await, App::start(&database).await);
    here.register("ada").await;
    let login = here.login_to_refresh("ada").await;
    let body = json!({ "refresh_token": login.text("refresh_token") });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let node = if number % 2 == 0 { &here } else { &there };
        tasks.spawn(node.post("/auth/refresh").json(&body).send());
    }
    let answers = tasks.join_all().await;
    let successor = answers[0].text("refresh_token");
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.text("refresh_token"), successor);
    }
    for node in [&here, &there] {
        for answer in [&login, &answers[0], &answers[49]] {
            assert_eq!(verified(node, &answer.text("Authorization")).await, "good");
        }
    }
    assert_eq!(there.refresh(&successor).await.status, 200);
}

async fn a_token_that_is_used_again_later_ends_the_session_on_every_node(database: TestDatabase) {
    let (here, there) = (App::start(&database).await, App::start(&database).await);
    here.register("ada").await;
    let first = here.login_to_refresh("ada").await;
    let second = here.refresh(&first.text("refresh_token")).await;
    for app in [&here, &there] {
        app.advance(Duration::from_secs(29));
    }
    let repeated = there.refresh(&first.text("refresh_token")).await;
    assert_eq!(repeated.text("refresh_token"), second.text("refresh_token"), "within the grace");
    for app in [&here, &there] {
        app.advance(Duration::from_secs(1));
    }
    assert_session_ended(&there.refresh(&first.text("refresh_token")).await, "used again");
    for node in [&here, &there] {
        assert_session_ended(&node.refresh(&second.text("refresh_token")).await, "its successor");
        for answer in [&first, &second, &repeated] {
            assert_eq!(verified(node, &answer.text("Authorization")).await, "token_revoked");
        }
    }
}
