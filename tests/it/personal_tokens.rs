//! Personal access tokens: made, used, listed, deleted, and ended with their user.

use std::time::Duration;

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    a_token_is_made_used_and_deleted_on_every_node,
    a_user_has_at_most_fifty_tokens,
    whatever_ends_the_user_ends_the_token,
    what_is_a_scope_when_a_token_is_made_never_becomes_a_role,
);

const SCOPES: (&str, &str) = ("AUTH_USER_SCOPES", "orders:read orders:write");
const NO_ID: &str = "6f1c0a3e-52d7-4b8e-9c1d-2e3f4a5b6c7d";

async fn create(app: &App, bearer: &str, body: &Value) -> Response {
    app.post("/user/me/tokens").bearer(bearer).json(body).send().await
}

/// Makes a token with the scopes that are the default.
async fn made(app: &App, bearer: &str) -> Response {
    let answer = create(app, bearer, &json!({ "name": "backup" })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer
}

async fn own(app: &App, bearer: &str) -> Vec<Value> {
    let answer = app.get("/user/me/tokens").bearer(bearer).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["data"].as_array().unwrap().clone()
}

/// The code of the answer to a token, or `good`.
async fn check(app: &App, token: &str) -> String {
    let answer = app.get("/auth/verify").bearer(token).send().await;
    if answer.status == 200 { "good".to_owned() } else { answer.text("code") }
}

async fn delete(app: &App, bearer: &str, id: &str) -> Response {
    app.request("DELETE", &format!("/user/me/tokens/{id}")).bearer(bearer).send().await
}

async fn a_token_is_made_used_and_deleted_on_every_node(database: TestDatabase) {
    let settings = [SCOPES];
    let (near, far) = (App::start_with(&database, &settings).await, App::start_with(&database, &settings).await);
    let ada = near.register("ada").await;
    let login = ada.text("Authorization");
    let answer = create(&near, &login, &json!({ "name": " backup ", "scopes": ["orders:read"] })).await;
    assert_eq!((answer.status, answer.header("Cache-Control")), (201, Some("no-store")), "{}", answer.body);
    let (token, id) = (answer.text("token"), answer.text("id"));
    assert!(token.starts_with("rap_") && token.len() == 51, "{token}");
    for node in [&near, &far] {
        let answer = node.get("/auth/verify").bearer(&token).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.text("user_id"), ada.text("public_id"));
        let me = node.get("/user/me").bearer(&token).send().await;
        assert_eq!((me.status, me.text("username")), (200, "ada".to_owned()));
        let listed = own(node, &login).await;
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0]["id"], &listed[0]["name"]), (&json!(id), &json!("backup")));
        assert_eq!(listed[0]["scopes"], json!(["orders:read"]));
        assert!(!listed[0].to_string().contains("rap_"));
    }
    let deleted = delete(&near, &login, &id).await;
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    for node in [&near, &far] {
        assert_eq!(check(node, &token).await, "token_revoked");
        assert!(own(node, &login).await.is_empty());
        assert_refused(&delete(node, &login, &id).await, 404, "personal_token_not_found", "deleted before");
    }
    near.advance(Duration::from_mins(16));
    assert_eq!(check(&near, &token).await, "token_invalid", "nothing is left of it");
}

async fn a_user_has_at_most_fifty_tokens(database: TestDatabase) {
    let app = App::start(&database).await;
    let login = app.register("ada").await.text("Authorization");
    for _ in 0..50 {
        made(&app, &login).await;
    }
    let answer = create(&app, &login, &json!({ "name": "one more" })).await;
    assert_refused(&answer, 409, "personal_token_limit", "the fifty-first");
    let listed = own(&app, &login).await;
    assert_eq!(listed.len(), 50);
    assert_eq!(delete(&app, &login, listed[0]["id"].as_str().unwrap()).await.status, 204);
    made(&app, &login).await;
    let bob = app.register("bob").await.text("Authorization");
    made(&app, &bob).await;
}

async fn whatever_ends_the_user_ends_the_token(database: TestDatabase) {
    let app = App::start(&database).await;
    for end in ["password", "logout-all", "disabled", "deleted"] {
        let login = app.register(end).await.text("Authorization");
        let (used, unused) = (made(&app, &login).await.text("token"), made(&app, &login).await.text("token"));
        assert_eq!(check(&app, &used).await, "good");
        let current = json!({ "current_password": App::PASSWORD, "new_password": "654321" });
        let answer = match end {
            "password" => app.post("/user/me/password").bearer(&login).json(&current).send().await.status,
            "logout-all" => app.post("/auth/logout-all").bearer(&login).send().await.status,
            "disabled" => {
                app.disable(end).await;
                app.enable(end).await;
                200
            }
            _ => app.request("DELETE", "/user/me").bearer(&login).json(&current).send().await.status,
        };
        assert!(matches!(answer, 200 | 204), "{end}: {answer}");
        assert_eq!(check(&app, &used).await, "token_revoked", "{end}");
        let code = if end == "deleted" { "token_invalid" } else { "token_revoked" };
        assert_eq!(check(&app, &unused).await, code, "{end}");
        app.advance(Duration::from_mins(16));
        assert_eq!(check(&app, &used).await, code, "{end}");
    }
}

/// The roles and the scopes that a check shows of a token.
async fn grants(app: &App, token: &str) -> (Value, Value) {
    let answer = app.get("/auth/verify").bearer(token).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    (answer.json()["roles"].clone(), answer.json()["scope"].clone())
}

async fn what_is_a_scope_when_a_token_is_made_never_becomes_a_role(database: TestDatabase) {
    let before = App::start_with(&database, &[("AUTH_USER_SCOPES", "editor orders:read")]).await;
    let after = App::start_with(&database, &[("AUTH_USER_SCOPES", "orders:read auditor")]).await;
    let (root, ada) = (before.admin("root").await, before.register("ada").await.text("public_id"));
    for role in ["editor", "auditor"] {
        let given = before.request("PUT", &format!("/user/{ada}/roles/{role}")).bearer(&root).send().await;
        assert_eq!(given.status, 204);
    }
    let login = before.login("ada").await;
    let names = json!(["auditor", "editor", "orders:read"]);
    let answer = create(&before, &login, &json!({ "name": "a", "scopes": names })).await;
    assert_eq!((answer.status, &answer.json()["scopes"]), (201, &names), "{}", answer.body);
    let token = answer.text("token");
    assert_eq!(own(&after, &login).await[0]["scopes"], names, "one list, as it was asked for");
    assert_eq!(grants(&before, &token).await, (json!(["auditor"]), json!("editor orders:read")));
    // Its name is not a scope of logins any more, and another one that was meant as a role is.
    assert_eq!(grants(&after, &token).await, (json!(["auditor"]), json!("orders:read")));
}

#[tokio::test]
async fn a_token_gets_the_scopes_that_it_names_and_no_others() {
    let app = App::in_memory_with(&[SCOPES]).await;
    let login = app.register("ada").await.text("Authorization");
    assert_eq!(made(&app, &login).await.json()["scopes"], json!(["orders:read", "orders:write"]));
    for (scopes, status) in [
        (json!([]), 201),
        (json!(["orders:write"]), 201),
        (json!(["orders:write", "orders:read", "orders:read"]), 201),
        (json!(["admin"]), 400),
        (json!(["orders:delete"]), 400),
        (json!(["orders read"]), 400),
        (json!("orders:read"), 400),
    ] {
        let answer = create(&app, &login, &json!({ "name": "a", "scopes": scopes })).await;
        assert_eq!(answer.status, status, "{scopes}: {}", answer.body);
        if status == 400 {
            assert!(answer.json()["errors"]["scopes"].is_string(), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn only_a_token_that_names_the_role_acts_as_an_admin() {
    let app = App::in_memory().await;
    let root = app.admin("root").await;
    let plain = made(&app, &root).await.text("token");
    assert_refused(&app.get("/user/").bearer(&plain).send().await, 403, "admin_required", "no role");
    let named = create(&app, &root, &json!({ "name": "a", "scopes": ["admin"] })).await.text("token");
    assert_eq!(app.get("/user/").bearer(&named).send().await.status, 200);
    app.demote("root").await;
    assert_refused(&app.get("/user/").bearer(&named).send().await, 401, "token_revoked", "no admin any more");
}

#[tokio::test]
async fn wrong_fields_are_named_and_a_user_id_in_the_body_is_ignored() {
    let app = App::in_memory().await;
    let bob = app.register("bob").await.text("public_id");
    let ada = app.register("ada").await;
    let login = ada.text("Authorization");
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "x".repeat(65) }), "name"),
        (json!({ "name": "a", "expires_in": 0 }), "expires_in"),
        (json!({ "name": "a", "expires_in": 366 * 86_400 + 1 }), "expires_in"),
        (json!({ "name": "a", "expires_in": "60" }), "expires_in"),
    ] {
        let answer = create(&app, &login, &body).await;
        assert_refused(&answer, 400, "validation_failed", field);
        assert!(answer.json()["errors"][field].is_string(), "{body}: {}", answer.body);
    }
    let token = create(&app, &login, &json!({ "name": "a", "user_id": bob, "public_id": bob })).await.text("token");
    let answer = app.get("/auth/verify").bearer(&token).send().await;
    assert_eq!(answer.text("user_id"), ada.text("public_id"));
}

#[tokio::test]
async fn a_token_outlives_the_session_that_made_it() {
    let app = App::in_memory().await;
    let first = app.register("ada").await.text("Authorization");
    let token = made(&app, &first).await.text("token");
    let second = app.login("ada").await;
    assert_eq!(app.post("/auth/logout-others").bearer(&second).send().await.status, 200);
    assert_eq!(check(&app, &first).await, "token_revoked");
    assert_eq!(check(&app, &token).await, "good", "logout-others");
    let another = made(&app, &second).await.text("token");
    assert_eq!(app.post("/auth/logout").bearer(&second).send().await.status, 200);
    assert_eq!((check(&app, &token).await, check(&app, &another).await), ("good".to_owned(), "good".to_owned()));
}

#[tokio::test]
async fn a_token_expires() {
    let app = App::in_memory().await;
    let login = app.register("ada").await.text("Authorization");
    let token = create(&app, &login, &json!({ "name": "a", "expires_in": 60 })).await.text("token");
    assert_eq!(check(&app, &token).await, "good");
    app.advance(Duration::from_mins(1));
    assert_eq!(check(&app, &token).await, "good", "within the leeway");
    app.advance(Duration::from_secs(1));
    assert_eq!(check(&app, &token).await, "token_expired");
    assert!(own(&app, &login).await.is_empty());
}

#[tokio::test]
async fn what_is_no_token_is_invalid_and_nothing_else() {
    let app = App::in_memory().await;
    let login = app.register("ada").await.text("Authorization");
    let token = made(&app, &login).await.text("token");
    let last = if token.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{last}", &token[..token.len() - 1]);
    for wrong in ["rap_", &changed, &token[..50], &format!("{token}="), &format!("{token}A"), &token.to_uppercase()] {
        let answer = app.get("/auth/verify").bearer(wrong).send().await;
        assert_refused(&answer, 401, "token_invalid", wrong);
    }
    let metrics = app.get("/metrics").send().await.body;
    assert!(metrics.contains("auth_personal_token_lookups_total{result=\"refused\"} 0\n"), "{metrics}");
    assert_eq!(check(&app, &token).await, "good");
    let metrics = app.get("/metrics").send().await.body;
    assert!(metrics.contains("auth_personal_token_lookups_total{result=\"ok\"} 1\n"), "{metrics}");
    assert!(metrics.contains("auth_personal_tokens_remembered 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_personal_token_changes_nothing_about_the_account() {
    let app = App::in_memory().await;
    let login = app.register("ada").await.text("Authorization");
    let answer = made(&app, &login).await;
    let (token, id) = (answer.text("token"), answer.text("id"));
    let passwords = json!({ "current_password": App::PASSWORD, "new_password": "654321" });
    for (method, path, body) in [
        ("POST", "/user/me/tokens", json!({ "name": "another" })),
        ("GET", "/user/me/tokens", Value::Null),
        ("DELETE", &format!("/user/me/tokens/{id}"), Value::Null),
        ("GET", "/user/me/sessions", Value::Null),
        ("GET", "/user/me/export", Value::Null),
        ("PATCH", "/user/me", json!({ "username": "eve" })),
        ("DELETE", "/user/me", passwords.clone()),
        ("POST", "/user/me/password", passwords.clone()),
        ("POST", "/user/me/email", json!({ "email": "eve@example.com", "current_password": App::PASSWORD })),
        ("POST", "/auth/logout-others", Value::Null),
        ("POST", "/auth/logout-all", Value::Null),
    ] {
        let request = app.request(method, path).bearer(&token);
        let request = if body.is_null() { request } else { request.json(&body) };
        assert_refused(&request.send().await, 403, "insufficient_scope", path);
    }
    assert_eq!(check(&app, &token).await, "good");
}

#[tokio::test]
async fn a_personal_token_of_an_admin_reads_users_and_changes_none() {
    let app = App::in_memory().await;
    let ada = app.register("ada").await;
    let (login, root) = (ada.text("Authorization"), app.admin("root").await);
    let id = made(&app, &login).await.text("id");
    let token = create(&app, &root, &json!({ "name": "a", "scopes": ["admin"] })).await.text("token");
    let user = format!("/user/{}", ada.text("public_id"));
    for path in ["/user/", &user] {
        assert_eq!(app.get(path).bearer(&token).send().await.status, 200, "{path}");
    }
    for (method, path) in [
        ("GET", "/tokens"),
        ("DELETE", &format!("/tokens/{id}")),
        ("GET", "/sessions"),
        ("DELETE", "/sessions"),
        ("DELETE", &format!("/sessions/{NO_ID}")),
        ("PUT", "/roles/admin"),
        ("DELETE", "/roles/editor"),
        ("POST", "/verify-email"),
        ("POST", "/unlock"),
        ("DELETE", ""),
    ] {
        let path = format!("{user}{path}");
        let answer = app.request(method, &path).bearer(&token).send().await;
        assert_refused(&answer, 403, "insufficient_scope", &format!("{method} {path}"));
        let answer = app.request(method, &path).bearer(&login).send().await;
        assert_refused(&answer, 403, "admin_required", &format!("{method} {path}"));
    }
    assert_eq!(check(&app, &login).await, "good", "nothing was ended");
    assert_eq!(own(&app, &login).await.len(), 1, "nothing was deleted");
}

#[tokio::test]
async fn the_token_of_another_is_not_found_except_by_an_admin() {
    let app = App::in_memory().await;
    let ada = app.register("ada").await;
    let (bob, root) = (app.register("bob").await.text("Authorization"), app.admin("root").await);
    let answer = made(&app, &ada.text("Authorization")).await;
    let (token, id) = (answer.text("token"), answer.text("id"));
    for id in [id.as_str(), NO_ID, "x", "%20"] {
        assert_refused(&delete(&app, &bob, id).await, 404, "personal_token_not_found", id);
    }
    let path = format!("/user/{}/tokens", ada.text("public_id"));
    assert_refused(&app.get(&path).bearer(&bob).send().await, 403, "admin_required", "no admin");
    let deletion = format!("{path}/{id}");
    assert_refused(&app.request("DELETE", &deletion).bearer(&bob).send().await, 403, "admin_required", "no admin");
    assert_eq!(check(&app, &token).await, "good");
    let listed = app.get(&path).bearer(&root).send().await.json();
    assert_eq!(listed["data"][0]["id"], id);
    assert_eq!(app.request("DELETE", &deletion).bearer(&root).send().await.status, 204);
    assert_eq!(check(&app, &token).await, "token_revoked");
    let answer = app.request("DELETE", &deletion).bearer(&root).send().await;
    assert_refused(&answer, 404, "personal_token_not_found", "deleted before");
    let nobody = format!("/user/{NO_ID}/tokens");
    assert_refused(&app.get(&nobody).bearer(&root).send().await, 404, "user_not_found", "nobody");
}

#[tokio::test]
async fn an_export_has_the_tokens_and_no_secret() {
    let app = App::in_memory().await;
    let login = app.register("ada").await.text("Authorization");
    let id = made(&app, &login).await.text("id");
    let export = app.get("/user/me/export").bearer(&login).send().await;
    assert_eq!(export.json()["personal_tokens"][0]["id"], id);
    assert!(!export.body.contains("rap_"), "{}", export.body);
}

#[tokio::test]
async fn whoever_holds_a_token_may_revoke_it_and_a_cookie_carries_none() {
    let app = App::in_memory().await;
    let answer = app.register("ada").await;
    let login = answer.text("Authorization");
    let token = made(&app, &login).await.text("token");
    let refresh = app.login_to_refresh("ada").await.text("refresh_token");
    let cookie = format!("__Host-auth={token}~{refresh}");
    let answer = app.get("/auth/verify").header("Cookie", &cookie).send().await;
    assert_refused(&answer, 401, "token_invalid", "in a cookie");
    let form = format!("token={token}");
    let revoking = app.post("/oauth/revoke").body("application/x-www-form-urlencoded", form.as_bytes());
    assert_eq!(revoking.send().await.status, 200);
    assert_eq!(check(&app, &token).await, "token_revoked");
    assert!(own(&app, &login).await.is_empty());
}
