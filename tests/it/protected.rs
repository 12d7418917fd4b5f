//! Routes that ask who is there.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, assert_refused};
use serde_json::json;

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

auth_testing::on_every_database!(
    a_user_reads_themself_and_nobody_else,
    an_admin_reads_everybody,
    listing_needs_an_admin,
    verify_tells_a_proxy_who_it_is,
    a_demotion_ends_the_admin_tokens,
);

async fn a_user_reads_themself_and_nobody_else(database: TestDatabase) {
    let app = App::start(&database).await;
    let ada = app.register("ada").await;
    let grace = app.register("grace").await;
    let token = ada.text("Authorization");

    let own = app.get(&format!("/user/{}", ada.text("public_id"))).bearer(&token).send().await;
    assert_eq!(own.status, 200);
    assert_eq!(own.json(), app.get("/user/me").bearer(&token).send().await.json());

    // Nor do they learn whether there is such a user.
    for id in [grace.text("public_id"), NOBODY.to_owned()] {
        let answer = app.get(&format!("/user/{id}")).bearer(&token).send().await;
        assert_eq!((answer.status, answer.text("code")), (403, "admin_required".to_owned()), "{id}");
    }
    let malformed = app.get("/user/nonsense").bearer(&token).send().await;
    assert_refused(&malformed, 404, "user_not_found", "an id that is none");
    let anonymous = app.get(&format!("/user/{}", ada.text("public_id"))).send().await;
    assert_eq!((anonymous.status, anonymous.text("code")), (401, "token_missing".to_owned()));
}

async fn an_admin_reads_everybody(database: TestDatabase) {
    let app = App::start(&database).await;
    let ada = app.register("ada").await;
    let admin = app.admin("root").await;
    let answer = app.get(&format!("/user/{}", ada.text("public_id"))).bearer(&admin).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text("username"), "ada");
    let missing = json!({ "status": "fail", "message": "User not found.", "code": "user_not_found" });
    for id in [NOBODY, "nobody"] {
        let answer = app.get(&format!("/user/{id}")).bearer(&admin).send().await;
        assert_eq!((answer.status, answer.json()), (404, missing.clone()), "{id}");
    }
    assert_eq!(app.get("/user/me").bearer(&admin).send().await.json()["admin"], true);
}

async fn listing_needs_an_admin(database: TestDatabase) {
    let app = App::start(&database).await;
    let token = app.register("ada").await.text("Authorization");
    for path in ["/user/", "/user"] {
        let refused = app.get(path).bearer(&token).send().await;
        let expected = json!({ "status": "fail", "message": "admin token required", "code": "admin_required" });
        assert_eq!((refused.status, refused.json()), (403, expected), "{path}");
        let anonymous = app.get(path).send().await;
        let expected = json!({ "status": "fail", "message": "Provide a valid auth token.", "code": "token_missing" });
        assert_eq!((anonymous.status, anonymous.json()), (401, expected), "{path}");
    }
    let admin = app.admin("root").await;
    let list = app.get("/user/").bearer(&admin).send().await;
    assert_eq!(list.status, 200);
    for secret in ["password", "hash", "$2b$"] {
        assert!(!list.body.contains(secret), "{}", list.body);
    }
}

async fn verify_tells_a_proxy_who_it_is(database: TestDatabase) {
    let app = App::start(&database).await;
    let registered = app.register("ada").await;
    let id = registered.text("public_id");
    let answer = app.get("/auth/verify").bearer(&registered.text("Authorization")).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text("user_id"), id);
    assert_eq!(answer.json()["admin"], false);
    assert!(answer.json()["token_id"].is_string());
    assert_eq!(answer.text("issued_at"), "2026-01-01T00:00:00Z");
    assert_eq!(answer.text("expires_at"), "2026-01-02T00:00:00Z");
    assert_eq!(answer.header("X-Auth-User-Id"), Some(id.as_str()));
    assert_eq!(answer.header("X-Auth-Admin"), Some("false"));

    let admin = app.admin("root").await;
    let answer = app.get("/auth/verify").bearer(&admin).send().await;
    assert_eq!(answer.header("X-Auth-Admin"), Some("true"));
}

async fn a_demotion_ends_the_admin_tokens(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    assert_eq!(app.get("/user/").bearer(&admin).send().await.status, 200);
    app.demote("root").await;
    assert_eq!(app.get("/user/").bearer(&admin).send().await.text("code"), "token_revoked");
    let user = app.login("root").await;
    assert_eq!(app.get("/user/").bearer(&user).send().await.text("code"), "admin_required");
}
