//! What admins do with the accounts of others: find, confirm, unlock and delete.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    an_admin_finds_a_user_by_address_or_name,
    an_admin_confirms_an_address_and_deletes_a_user,
    an_admin_ends_the_waits_of_an_account,
);

const NOBODY: &str = "01935a1e-8c00-7def-8123-456789abcdef";

async fn find(app: &App, admin: &str, query: &str) -> Vec<String> {
    let answer = app.get(&format!("/user/?{query}")).bearer(admin).send().await;
    assert_eq!((answer.status, &answer.json()["next"]), (200, &Value::Null), "{query}: {}", answer.body);
    let users = answer.json()["data"].as_array().unwrap().clone();
    users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

async fn id_of(app: &App, token: &str) -> String {
    app.get("/user/me").bearer(token).send().await.text("public_id")
}

async fn an_admin_finds_a_user_by_address_or_name(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    let ada = app.register("ada").await.text("Authorization");
    app.register("bob").await;
    for query in
        ["email=ada@example.com", "email=ADA%40EXAMPLE.com", "username=Ada", "email=ada@example.com&username=ada"]
    {
        assert_eq!(find(&app, &admin, query).await, ["ada"], "{query}");
    }
    let after = format!("username=ada&after={}", id_of(&app, &ada).await);
    for query in ["email=eve@example.com", "username=eve", "email=ada@example.com&username=bob", &after] {
        assert_eq!(find(&app, &admin, query).await, Vec::<String>::new(), "{query}");
    }
    let answer = app.get("/user/?email=nobody&username=&limit=0").bearer(&admin).send().await;
    assert_refused(&answer, 400, "validation_failed", "three wrong parameters");
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors["email"], "'email' is not a valid e-mail address");
    assert_eq!(errors["username"], "'username' must not be empty");
    assert_eq!(errors["limit"], "'limit' must be a number from 1 to 200");
    let answer = app.get("/user/?email=ada@example.com").bearer(&ada).send().await;
    assert_refused(&answer, 403, "admin_required", "a user who is no admin");
}

async fn change(app: &App, method: &str, path: &str, token: &str) -> Response {
    app.request(method, path).bearer(token).send().await
}

async fn an_admin_confirms_an_address_and_deletes_a_user(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    let ada = app.register("ada").await.text("Authorization");
    let path = format!("/user/{}", id_of(&app, &ada).await);
    let answer = change(&app, "POST", &format!("{path}/verify-email"), &admin).await;
    assert_eq!((answer.status, &answer.json()["email_verified"]), (200, &json!(true)), "{}", answer.body);
    assert_eq!(app.get("/user/me").bearer(&ada).send().await.json()["email_verified"], true);

    for (method, path) in
        [("DELETE", path.clone()), ("POST", format!("{path}/verify-email")), ("POST", format!("{path}/unlock"))]
    {
        assert_refused(&change(&app, method, &path, &ada).await, 403, "admin_required", &path);
        for unknown in [NOBODY, "no-id"] {
            let path = path.replace(path.split('/').nth(2).unwrap(), unknown);
            assert_refused(&change(&app, method, &path, &admin).await, 404, "user_not_found", &path);
        }
    }
    let answer = change(&app, "DELETE", &path, &admin).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_refused(&app.get("/user/me").bearer(&ada).send().await, 401, "token_revoked", "a token from before");
    assert_refused(&change(&app, "DELETE", &path, &admin).await, 404, "user_not_found", "the second time");
    assert_eq!(find(&app, &admin, "username=ada").await, Vec::<String>::new());
}

async fn an_admin_ends_the_waits_of_an_account(database: TestDatabase) {
    let app = App::start_with(&database, &[("AUTH_THROTTLE", "on")]).await;
    let admin = app.admin("root").await;
    let ada = app.register("ada").await.text("Authorization");
    let id = id_of(&app, &ada).await;
    for _ in 0..11 {
        app.try_login("ada@example.com", "wrong").await;
    }
    assert_refused(&app.try_login("ada@example.com", App::PASSWORD).await, 429, "too_many_attempts", "locked");
    let answer = change(&app, "POST", &format!("/user/{id}/unlock"), &admin).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(app.try_login("ada@example.com", App::PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_last_login_is_shown_to_the_user_and_to_admins() {
    let app = App::in_memory().await;
    let admin = app.admin("root").await;
    let first = app.register("ada").await.text("Authorization");
    let profile = async |token: &str| app.get("/user/me").bearer(token).send().await.json();
    assert_eq!(profile(&first).await["last_login_at"], Value::Null, "a registration is no login");
    app.advance(std::time::Duration::from_secs(60));
    let token = app.login("ada").await;
    assert_eq!(profile(&token).await["last_login_at"], "2026-01-01T00:01:00Z");
    let path = format!("/user/{}", id_of(&app, &token).await);
    let seen = app.get(&path).bearer(&admin).send().await.json();
    assert_eq!(seen["last_login_at"], "2026-01-01T00:01:00Z");
}
