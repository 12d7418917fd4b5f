//! Logging in.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, assert_refused};
use serde_json::json;

auth_testing::on_every_database!(
    a_registered_user_logs_in,
    an_unknown_user_and_a_wrong_password_get_one_answer,
    two_logins_in_one_second_are_two_tokens,
);

async fn a_registered_user_logs_in(database: TestDatabase) {
    let app = App::start(&database).await;
    let registered = app.register("ada").await;
    for spelling in ["ada@example.com", " ADA@EXAMPLE.COM "] {
        let answer = app.try_login(spelling, App::PASSWORD).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text("status"), "success");
        assert_eq!(answer.text("message"), "Successfully logged in.");
        assert_eq!(answer.text("token_type"), "Bearer");
        assert_eq!(answer.json()["expires_in"], 24 * 60 * 60);
        assert_eq!(answer.text("public_id"), registered.text("public_id"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert!(!answer.text("Authorization").contains(' '), "the token is bare");
    }
}

async fn an_unknown_user_and_a_wrong_password_get_one_answer(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    let wrong = app.try_login("ada@example.com", "654321").await;
    let unknown = app.try_login("nobody@example.com", App::PASSWORD).await;
    let expected = json!({
        "status": "fail", "message": "email or password does not match.", "code": "invalid_credentials",
    });
    for answer in [wrong, unknown] {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json(), expected);
        let challenge = answer.header("WWW-Authenticate").expect("a 401 has a challenge");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert!(!challenge.contains("error="), "no token was sent: {challenge}");
        assert_eq!(challenge, "Bearer realm=\"auth\"");
        assert_refused(&answer, 401, "invalid_credentials", "wrong credentials");
    }
}

async fn two_logins_in_one_second_are_two_tokens(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    let (phone, laptop) = (app.login("ada").await, app.login("ada").await);
    assert_ne!(phone, laptop);

    assert_eq!(app.logout(&phone).await.status, 200);
    assert_eq!(app.logout(&phone).await.text("code"), "token_revoked");
    assert_eq!(app.get("/user/me").bearer(&laptop).send().await.status, 200);
}

#[tokio::test]
async fn what_can_be_no_account_is_named_before_any_work_is_done() {
    let app = App::in_memory().await;
    for (body, field) in [
        (json!({ "password": "123456" }), "email"),
        (json!({ "email": "ada@example.com" }), "password"),
        (json!({ "email": "ada@example.com", "password": 123_456 }), "password"),
    ] {
        let answer = app.post("/auth/login").json(&body).send().await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.text("code"), "validation_failed");
        assert!(answer.json()["errors"][field].is_string(), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_password_that_no_account_can_have_is_a_wrong_one() {
    let app = App::in_memory().await;
    app.register("ada").await;
    for (email, password) in [
        ("ada@example.com", "x".repeat(10_000)),
        ("ada@example.com", "x".repeat(73)),
        ("ada@example.com", "123456\0".to_owned()),
        ("nobody", "123456".to_owned()),
    ] {
        let answer = app.try_login(email, &password).await;
        assert_eq!((answer.status, answer.text("code")), (401, "invalid_credentials".to_owned()));
    }
}
