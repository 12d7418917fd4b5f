//! Limits on guessing, through the door. The proxy in front is the test itself: it says where a client is.

use std::time::Duration;

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response};
use serde_json::json;

auth_testing::on_every_database!(
    who_guesses_too_often_waits_and_is_told_how_long,
    an_unknown_address_gets_the_same_answers,
    waits_are_shared_by_nodes_and_outlive_a_restart,
    guesses_at_once_on_two_nodes_are_all_counted,
    the_owner_gets_in_from_home_while_others_guess,
    registrations_are_limited_by_network,
    a_wrong_current_password_is_a_guess_like_any_other,
    making_and_deleting_personal_tokens_is_limited_by_user,
);

const SETTINGS: [(&str, &str); 2] = [("AUTH_THROTTLE", "on"), ("AUTH_TRUSTED_PROXIES", "127.0.0.1")];

async fn start(database: &TestDatabase) -> App {
    App::start_with(database, &SETTINGS).await
}

async fn try_login(app: &App, email: &str, password: &str, from: &str) -> Response {
    let body = json!({ "email": email, "password": password });
    app.post("/auth/login").header("X-Forwarded-For", from).json(&body).send().await
}

async fn guess(app: &App, name: &str, from: &str) -> Response {
    try_login(app, &format!("{name}@example.com"), "a wrong password", from).await
}

async fn register(app: &App, name: &str, from: &str) -> Response {
    let body = json!({ "email": format!("{name}@example.com"), "username": name, "password": App::PASSWORD });
    app.post("/auth/register").header("X-Forwarded-For", from).json(&body).send().await
}

fn assert_must_wait(answer: &Response, seconds: &str) {
    let expected = json!({
        "status": "fail", "message": "Too many attempts. Please try again later.", "code": "too_many_attempts",
    });
    assert_eq!((answer.status, answer.json()), (429, expected));
    assert_eq!(answer.header("Retry-After"), Some(seconds));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
}

async fn who_guesses_too_often_waits_and_is_told_how_long(database: TestDatabase) {
    let app = start(&database).await;
    assert_eq!(register(&app, "ada", "198.51.100.1").await.status, 201);
    for number in 0..10 {
        assert_eq!(guess(&app, "ada", "192.0.2.1").await.status, 401, "guess {number}");
    }
    assert_must_wait(&guess(&app, "ada", "192.0.2.1").await, "1");
    // The right one is refused as well: whether it was right is not told.
    assert_must_wait(&try_login(&app, "ada@example.com", App::PASSWORD, "192.0.2.1").await, "1");
    app.advance(Duration::from_secs(1));
    assert_eq!(guess(&app, "ada", "192.0.2.1").await.status, 401);
    assert_must_wait(&guess(&app, "ada", "192.0.2.1").await, "2");
    app.advance(Duration::from_secs(2));
    assert_eq!(try_login(&app, "ada@example.com", App::PASSWORD, "192.0.2.1").await.status, 200);
    // A success ends the waits.
    for number in 0..10 {
        assert_eq!(guess(&app, "ada", "192.0.2.1").await.status, 401, "guess {number} after the success");
    }
    let metrics = app.get("/metrics").send().await.body;
    assert!(metrics.contains("auth_throttled_attempts_total{what=\"account\"} 3"), "{metrics}");
}

async fn an_unknown_address_gets_the_same_answers(database: TestDatabase) {
    let app = start(&database).await;
    assert_eq!(register(&app, "ada", "198.51.100.1").await.status, 201);
    for number in 0..12 {
        let (known, unknown) = (guess(&app, "ada", "192.0.2.1").await, guess(&app, "eve", "192.0.2.2").await);
        assert_eq!(known.status, if number < 10 { 401 } else { 429 }, "guess {number}");
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body), "guess {number}");
        assert_eq!(known.header("Retry-After"), unknown.header("Retry-After"), "guess {number}");
        assert_eq!(known.header("WWW-Authenticate"), unknown.header("WWW-Authenticate"), "guess {number}");
    }
}

async fn waits_are_shared_by_nodes_and_outlive_a_restart(database: TestDatabase) {
    let (one, other) = (start(&database).await, start(&database).await);
    for _ in 0..5 {
        assert_eq!(guess(&one, "ada", "2001:db8::1").await.status, 401);
        assert_eq!(guess(&other, "ada", "2001:db8::2").await.status, 401);
    }
    assert_must_wait(&guess(&one, "ada", "2001:db8::3").await, "1");
    assert_must_wait(&guess(&other, "ada", "2001:db8::3").await, "1");
    one.stop().await;
    other.stop().await;
    let restarted = start(&database).await;
    assert_must_wait(&guess(&restarted, "ada", "2001:db8::3").await, "1");
    assert_eq!(guess(&restarted, "ada", "2001:db8:0:1::1").await.status, 401, "another network");
}

async fn guesses_at_once_on_two_nodes_are_all_counted(database: TestDatabase) {
    let nodes = [start(&database).await, start(&database).await];
    let guesses = (0..60_usize).map(|number| {
        let node = &nodes[number % 2];
        async move { guess(node, "ada", &format!("10.0.0.{number}")).await.status }
    });
    let answers = futures_util::future::join_all(guesses).await;
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(401), count(429)), (30, 30), "{answers:?}");
}

async fn the_owner_gets_in_from_home_while_others_guess(database: TestDatabase) {
    let app = start(&database).await;
    assert_eq!(register(&app, "ada", "198.51.100.1").await.status, 201);
    let mut refused = 0;
    for number in 0..40 {
        refused += u32::from(guess(&app, "ada", &format!("10.0.0.{number}")).await.status == 429);
    }
    assert_eq!(refused, 10, "thirty at once");
    assert_must_wait(&try_login(&app, "ada@example.com", App::PASSWORD, "203.0.113.9").await, "120");
    assert_eq!(try_login(&app, "ada@example.com", App::PASSWORD, "198.51.100.1").await.status, 200);
}

async fn registrations_are_limited_by_network(database: TestDatabase) {
    let settings = [SETTINGS.as_slice(), &[("AUTH_THROTTLE_REGISTRATIONS", "8")]].concat();
    let app = App::start_with(&database, &settings).await;
    for number in 0..4 {
        assert_eq!(register(&app, &format!("user{number}"), "192.0.2.1").await.status, 201);
    }
    assert_must_wait(&register(&app, "late", "192.0.2.1").await, "900");
    let body = json!({ "email": "late@example.com", "username": "late", "password": App::PASSWORD });
    let other_door = app.post("/user/").header("X-Forwarded-For", "192.0.2.1").json(&body).send().await;
    assert_must_wait(&other_door, "900");
    assert_eq!(register(&app, "late", "192.0.2.2").await.status, 201);
}

async fn a_wrong_current_password_is_a_guess_like_any_other(database: TestDatabase) {
    let app = start(&database).await;
    let token = register(&app, "ada", "198.51.100.1").await.text("Authorization");
    let change = async |current: &str| {
        let body = json!({ "current_password": current, "new_password": "another password" });
        let request = app.post("/user/me/password").header("X-Forwarded-For", "192.0.2.1");
        request.bearer(&token).json(&body).send().await
    };
    for number in 0..5 {
        assert_eq!(change("a wrong password").await.status, 401, "change {number}");
        assert_eq!(guess(&app, "ada", "192.0.2.1").await.status, 401, "guess {number}");
    }
    assert_must_wait(&change(App::PASSWORD).await, "1");
    assert_must_wait(&guess(&app, "ada", "192.0.2.1").await, "1");
    app.advance(Duration::from_secs(1));
    assert_eq!(change(App::PASSWORD).await.status, 200);
}

async fn make_personal_token(app: &App, login: &str) -> Response {
    app.post("/user/me/tokens").bearer(login).json(&json!({ "name": "backup" })).send().await
}

async fn making_and_deleting_personal_tokens_is_limited_by_user(database: TestDatabase) {
    let (near, far) = (start(&database).await, start(&database).await);
    let ada = register(&near, "ada", "192.0.2.1").await.text("Authorization");
    let bob = register(&near, "bob", "192.0.2.1").await.text("Authorization");
    for number in 0..30 {
        let made = make_personal_token(if number % 2 == 0 { &near } else { &far }, &ada).await;
        assert_eq!(made.status, 201, "{number}: {}", made.body);
        let path = format!("/user/me/tokens/{}", made.text("id"));
        assert_eq!(near.request("DELETE", &path).bearer(&ada).send().await.status, 204);
    }
    for node in [&near, &far] {
        assert_must_wait(&make_personal_token(node, &ada).await, "120");
    }
    assert_eq!(make_personal_token(&near, &bob).await.status, 201, "another user");
    let metrics = far.get("/metrics").send().await.body;
    assert!(metrics.contains("auth_throttled_attempts_total{what=\"personal_tokens\"} 1\n"), "{metrics}");
    far.advance(Duration::from_mins(2));
    assert_eq!(make_personal_token(&far, &ada).await.status, 201);
    assert_must_wait(&make_personal_token(&far, &ada).await, "120");
}

#[tokio::test]
async fn a_personal_token_too_many_is_an_attempt_as_well() {
    let app = App::in_memory_with(&SETTINGS).await;
    let ada = register(&app, "ada", "192.0.2.1").await.text("Authorization");
    for (made, too_many) in [(30, 0), (20, 10)] {
        for status in [vec![201; made], vec![409; too_many]].concat() {
            let answer = make_personal_token(&app, &ada).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
        assert_must_wait(&make_personal_token(&app, &ada).await, "120");
        app.advance(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn who_is_no_proxy_of_ours_is_not_believed() {
    let app = App::in_memory_with(&[("AUTH_THROTTLE", "on"), ("AUTH_TRUSTED_PROXIES", "192.0.2.0/24")]).await;
    for number in 0..10 {
        assert_eq!(guess(&app, "ada", &format!("10.0.0.{number}")).await.status, 401);
    }
    assert_eq!(guess(&app, "ada", "10.0.0.99").await.status, 429, "the header changed the network");
}
