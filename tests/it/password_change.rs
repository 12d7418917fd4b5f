//! Changing a password.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response};
use serde_json::json;

auth_testing::on_every_database!(
    a_user_changes_the_password_and_only_the_new_token_is_good,
    a_wrong_current_password_changes_nothing,
    of_two_changes_at_once_one_wins,
);

const NEW: &str = "a new password";

async fn change(app: &App, token: &str, current: &str, new: &str) -> Response {
    let body = json!({ "current_password": current, "new_password": new });
    app.post("/user/me/password").bearer(token).json(&body).send().await
}

async fn code_of(app: &App, token: &str) -> (u16, String) {
    let answer = app.get("/auth/verify").bearer(token).send().await;
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

async fn a_user_changes_the_password_and_only_the_new_token_is_good(database: TestDatabase) {
    let app = App::start(&database).await;
    let registered = app.register("ada").await;
    let (phone, laptop) = (app.login("ada").await, app.login("ada").await);
    let answer = change(&app, &laptop, App::PASSWORD, NEW).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.text("status"), "success");
    assert_eq!(answer.text("message"), "Successfully changed the password.");
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.text("public_id"), registered.text("public_id"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));

    let fresh = answer.text("Authorization");
    assert_eq!(code_of(&app, &fresh).await.0, 200);
    for old in [&phone, &laptop, &registered.text("Authorization")] {
        assert_eq!(code_of(&app, old).await, (401, "token_revoked".to_owned()));
    }
    assert_eq!(app.try_login("ada@example.com", App::PASSWORD).await.status, 401);
    assert_eq!(app.try_login("ada@example.com", NEW).await.status, 200);
}

async fn a_wrong_current_password_changes_nothing(database: TestDatabase) {
    let app = App::start(&database).await;
    let token = app.register("ada").await.text("Authorization");
    for wrong in ["1234567", "", &"x".repeat(300)] {
        let answer = change(&app, &token, wrong, NEW).await;
        assert_eq!(answer.status, 401, "{wrong:?}");
        assert_eq!(
            answer.json(),
            json!({ "status": "fail", "message": "email or password does not match.", "code": "invalid_credentials" })
        );
    }
    assert_eq!(code_of(&app, &token).await.0, 200);
    assert_eq!(app.try_login("ada@example.com", NEW).await.status, 401);
    assert_eq!(app.try_login("ada@example.com", App::PASSWORD).await.status, 200);
}

async fn of_two_changes_at_once_one_wins(database: TestDatabase) {
    let app = App::start(&database).await;
    let token = app.register("ada").await.text("Authorization");
    let (one, other) =
        tokio::join!(change(&app, &token, App::PASSWORD, "the one"), change(&app, &token, App::PASSWORD, "the other"));
    let (winner, loser, password) = if one.status == 200 { (one, other, "the one") } else { (other, one, "the other") };
    // The one that comes second has lost its token too, if it is looked at late enough.
    assert_eq!((winner.status, loser.status), (200, 401), "{} {}", winner.body, loser.body);
    assert_eq!(code_of(&app, &winner.text("Authorization")).await.0, 200);
    assert_eq!(app.try_login("ada@example.com", password).await.status, 200);
}

#[tokio::test]
async fn a_new_password_that_breaks_a_rule_is_named() {
    let app = App::in_memory().await;
    let token = app.register("ada.lovelace").await.text("Authorization");
    for (new, rule) in [
        ("12345".to_owned(), "'new_password' must have at least 6 characters"),
        ("x".repeat(73), "'new_password' must have at most 72 bytes in UTF-8"),
        ("Ada.Lovelace".to_owned(), "'new_password' must not be your e-mail address or username"),
    ] {
        let answer = change(&app, &token, App::PASSWORD, &new).await;
        assert_eq!(answer.status, 400, "{new}");
        assert_eq!(answer.json()["errors"], json!({ "new_password": rule }));
    }
    let answer = app.post("/user/me/password").bearer(&token).json(&json!({ "new_password": 7 })).send().await;
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors["current_password"], "'current_password' is a required property");
    assert_eq!(errors["new_password"], "'new_password' is not of type 'string'");
    assert_eq!(code_of(&app, &token).await.0, 200);
}

#[tokio::test]
async fn without_a_good_token_nothing_is_changed() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    app.logout(&token).await;
    let answer = change(&app, &token, App::PASSWORD, NEW).await;
    assert_eq!((answer.status, answer.text("code")), (401, "token_revoked".to_owned()));
    let body = json!({ "current_password": App::PASSWORD, "new_password": NEW });
    let answer = app.post("/user/me/password").json(&body).send().await;
    assert_eq!((answer.status, answer.text("code")), (401, "token_missing".to_owned()));
    assert_eq!(app.try_login("ada@example.com", App::PASSWORD).await.status, 200);
}
