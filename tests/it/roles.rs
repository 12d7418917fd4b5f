//! Roles of users: given, carried by the next token, and taken with every token that carries them.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    a_role_counts_from_the_next_token_and_ends_the_tokens_that_carry_it,
    the_role_admin_is_the_flag,
    a_user_has_at_most_thirty_two_roles,
);

const NOBODY: &str = "01935a1e-8c00-7def-8123-456789abcdef";

async fn put(app: &App, admin: &str, user: &str, role: &str) -> Response {
    app.request("PUT", &format!("/user/{user}/roles/{role}")).bearer(admin).send().await
}

async fn delete(app: &App, admin: &str, user: &str, role: &str) -> Response {
    app.request("DELETE", &format!("/user/{user}/roles/{role}")).bearer(admin).send().await
}

fn assert_done(answer: &Response) {
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

/// The roles that the answer to `path` shows; null if it shows none.
async fn roles(app: &App, path: &str, token: &str) -> Value {
    let answer = app.get(path).bearer(token).send().await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()["roles"].clone()
}

async fn a_role_counts_from_the_next_token_and_ends_the_tokens_that_carry_it(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start(&database).await);
    let admin = near.admin("root").await;
    let ada = near.register("ada").await;
    let (first, id) = (ada.text("Authorization"), ada.text("public_id"));
    assert_eq!(roles(&near, "/user/me", &first).await, json!([]));
    for role in ["editor", "auditor", "editor"] {
        assert_done(&put(&near, &admin, &id, role).await);
    }
    assert_eq!(roles(&far, "/user/me", &first).await, json!(["auditor", "editor"]), "the account has them");
    assert_eq!(roles(&far, &format!("/user/{id}"), &admin).await, json!(["auditor", "editor"]));
    assert_eq!(roles(&far, "/auth/verify", &first).await, Value::Null, "the token from before does not");
    let second = near.login("ada").await;
    let answer = far.get("/auth/verify").bearer(&second).send().await;
    assert_eq!(answer.json()["roles"], json!(["auditor", "editor"]));
    assert_eq!(answer.header("X-Auth-Roles"), Some("auditor editor"));

    assert_done(&delete(&near, &admin, &id, "reviewer").await);
    assert_eq!(
        roles(&far, "/auth/verify", &second).await,
        json!(["auditor", "editor"]),
        "a role that she did not have"
    );
    assert_done(&delete(&near, &admin, &id, "editor").await);
    for (node, token) in [(&near, &first), (&near, &second), (&far, &first), (&far, &second)] {
        assert_refused(&node.get("/auth/verify").bearer(token).send().await, 401, "token_revoked", "carries the role");
    }
    let third = far.login("ada").await;
    assert_eq!(roles(&near, "/auth/verify", &third).await, json!(["auditor"]));
    assert_eq!(roles(&near, "/auth/verify", &admin).await, Value::Null, "nobody else is concerned");
}

async fn the_role_admin_is_the_flag(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    let id = app.register("ada").await.text("public_id");
    assert_done(&put(&app, &admin, &id, "admin").await);
    let token = app.login("ada").await;
    let me = app.get("/user/me").bearer(&token).send().await.json();
    assert_eq!((&me["admin"], &me["roles"]), (&json!(true), &json!([])));
    assert_eq!(app.get("/user/").bearer(&token).send().await.status, 200);
    assert_done(&delete(&app, &admin, &id, "admin").await);
    assert_refused(&app.get("/user/").bearer(&token).send().await, 401, "token_revoked", "carries the role");
    let token = app.login("ada").await;
    assert_refused(&app.get("/user/").bearer(&token).send().await, 403, "admin_required", "no admin any more");
}

async fn a_user_has_at_most_thirty_two_roles(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    let id = app.register("ada").await.text("public_id");
    for number in 0..32 {
        assert_done(&put(&app, &admin, &id, &format!("role-{number}")).await);
    }
    assert_done(&put(&app, &admin, &id, "role-0").await);
    let answer = put(&app, &admin, &id, "one-more").await;
    assert_refused(&answer, 400, "validation_failed", "the thirty-third");
    assert_eq!(answer.json()["errors"]["role"], "'role' cannot be given: a user has at most 32 roles");
    assert_done(&delete(&app, &admin, &id, "role-0").await);
    assert_done(&put(&app, &admin, &id, "one-more").await);
    let token = app.login("ada").await;
    assert_eq!(
        roles(&app, "/auth/verify", &token).await.as_array().map(Vec::len),
        Some(32),
        "a token carries them all"
    );
}

#[tokio::test]
async fn only_an_admin_gives_a_role_to_a_user_who_exists() {
    let app = App::in_memory().await;
    let admin = app.admin("root").await;
    let ada = app.register("ada").await;
    let (token, id) = (ada.text("Authorization"), ada.text("public_id"));
    for method in ["PUT", "DELETE"] {
        let send = async |bearer: &str, user: &str, role: &str| {
            app.request(method, &format!("/user/{user}/roles/{role}")).bearer(bearer).send().await
        };
        let answer = app.request(method, &format!("/user/{id}/roles/editor")).send().await;
        assert_refused(&answer, 401, "token_missing", method);
        assert_refused(&send(&token, &id, "admin").await, 403, "admin_required", method);
        assert_refused(&send(&token, &id, "Editor").await, 403, "admin_required", "before anything else is looked at");
        for unknown in [NOBODY, "no-id"] {
            for role in ["editor", "admin"] {
                assert_refused(&send(&admin, unknown, role).await, 404, "user_not_found", unknown);
            }
        }
        for wrong in ["Editor", "2nd", "a%20b", "%C3%A9", "Admin", &"a".repeat(65)] {
            let answer = send(&admin, &id, wrong).await;
            assert_refused(&answer, 400, "validation_failed", wrong);
            assert_eq!(
                answer.json()["errors"]["role"],
                "'role' is not the name of a role: a role has 1 to 64 characters of a-z, 0-9, '_' and '-', and begins with a letter"
            );
        }
    }
    assert_eq!(roles(&app, "/user/me", &token).await, json!([]));
}
