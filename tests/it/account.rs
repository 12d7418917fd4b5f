//! What users do with their own account: another name, the export, the deletion.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    a_user_takes_another_name_and_stays_logged_in,
    a_deleted_user_is_gone_and_the_tokens_are_dead_on_every_node,
    everything_that_is_stored_about_a_user_is_exported,
);

async fn rename(app: &App, token: &str, body: &Value) -> Response {
    app.request("PATCH", "/user/me").bearer(token).json(body).send().await
}

async fn delete(app: &App, token: &str, password: &str) -> Response {
    let body = json!({ "current_password": password });
    app.request("DELETE", "/user/me").bearer(token).json(&body).send().await
}

async fn a_user_takes_another_name_and_stays_logged_in(database: TestDatabase) {
    let app = App::start(&database).await;
    let token = app.register("ada").await.text("Authorization");
    app.register("bob").await;
    let answer = rename(&app, &token, &json!({ "username": "Countess" })).await;
    assert_eq!((answer.status, answer.text("username")), (200, "Countess".to_owned()));
    assert_eq!(answer.text("email"), "ada@example.com");
    assert_eq!(app.get("/user/me").bearer(&token).send().await.json(), answer.json());

    assert_refused(&rename(&app, &token, &json!({ "username": "BOB" })).await, 409, "username_taken", "bob's name");
    for (body, rule) in [
        (json!({}), "'username' is a required property"),
        (json!({ "username": "" }), "'username' must not be empty"),
        (json!({ "username": 7 }), "'username' is not of type 'string'"),
    ] {
        let answer = rename(&app, &token, &body).await;
        assert_refused(&answer, 400, "validation_failed", rule);
        assert_eq!(answer.json()["errors"], json!({ "username": rule }));
    }
    assert_eq!(rename(&app, &token, &json!({ "username": "COUNTESS" })).await.status, 200, "the own name, spelt anew");
}

async fn a_deleted_user_is_gone_and_the_tokens_are_dead_on_every_node(database: TestDatabase) {
    let (app, other) = (App::start_with(&database, &[App::WITH_LETTERS]).await, App::start(&database).await);
    let token = app.register("ada").await.text("Authorization");
    let refresh_token = app.login_to_refresh("ada").await.text("refresh_token");
    let admin = app.admin("root").await;
    let id = app.get("/user/me").bearer(&token).send().await.text("public_id");
    for wrong in ["wrong", ""] {
        assert_refused(&delete(&app, &token, wrong).await, 401, "invalid_credentials", wrong);
    }
    let bare = app.request("DELETE", "/user/me").bearer(&token).send().await;
    assert_refused(&bare, 415, "unsupported_media_type", "no body");
    let empty = app.request("DELETE", "/user/me").bearer(&token).json(&json!({})).send().await;
    assert_refused(&empty, 400, "validation_failed", "no password");

    let answer = delete(&app, &token, App::PASSWORD).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_refused(&app.get("/user/me").bearer(&token).send().await, 401, "token_revoked", "a token from before");
    assert_refused(&app.refresh(&refresh_token).await, 401, "session_ended", "a session from before");
    assert_refused(&app.try_login("ada@example.com", App::PASSWORD).await, 401, "invalid_credentials", "a login");
    let of_admin = app.get(&format!("/user/{id}")).bearer(&admin).send().await;
    assert_refused(&of_admin, 404, "user_not_found", "the profile");
    assert!(app.letters().await.iter().all(|letter| letter.to.as_ref().unwrap().as_str() != "ada@example.com"));
    assert_refused(&other.refresh(&refresh_token).await, 401, "session_ended", "on another node");
    app.register("ada").await;
}

async fn everything_that_is_stored_about_a_user_is_exported(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    let answer = app.get("/user/me/export").bearer(&token).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let export = answer.json();
    assert_eq!(export["user"], app.get("/user/me").bearer(&token).send().await.json());
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    let tokens = export["one_time_tokens"].as_array().unwrap();
    assert_eq!((tokens.len(), &tokens[0]["purpose"]), (1, &json!("verify_email")));
    assert_eq!(tokens[0]["sent_to"], "ada@example.com");
    assert_eq!(export["letters"][0]["kind"], "verify_email");
    let letter = app.letter().await;
    let secret = letter.secret.unwrap();
    for hidden in [secret.token.expose_text(str::to_owned), "$2b$".to_owned()] {
        assert!(!answer.body.contains(&hidden), "{}", answer.body);
    }
    assert_refused(&app.get("/user/me/export").send().await, 401, "token_missing", "no token");
}

#[tokio::test]
async fn a_browser_that_deletes_the_account_loses_the_cookie() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let origin = format!("https://{}", app.client().address());
    let login = json!({ "email": "ada@example.com", "password": App::PASSWORD, "session": "cookie" });
    let answer = app.post("/auth/login").header("Origin", &origin).json(&login).send().await;
    let cookie = answer.header("Set-Cookie").and_then(|cookie| cookie.split(';').next()).unwrap().to_owned();
    let body = json!({ "current_password": App::PASSWORD });
    let request = || app.request("DELETE", "/user/me").header("Cookie", &cookie).header("Origin", &origin).json(&body);
    assert_refused(&request().send().await, 403, "csrf", "without the CSRF token");
    let answer = request().header("X-CSRF-Token", &answer.text("csrf_token")).send().await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    let removed = answer.header("Set-Cookie").unwrap();
    assert!(removed.starts_with("__Host-auth=;") && removed.contains("Max-Age=0"), "{removed}");
}
