//! Logging out, and staying so.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, assert_refused};
use serde_json::json;

auth_testing::on_every_database!(
    a_token_is_refused_from_its_logout_on,
    a_logout_survives_a_restart,
    a_logout_on_one_node_is_seen_by_another,
    a_fresh_login_is_good_after_a_logout,
    of_simultaneous_logouts_none_is_left_good,
    logging_out_everywhere_ends_every_token_and_no_later_one,
);

async fn a_token_is_refused_from_its_logout_on(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    let token = app.login("ada").await;
    assert_eq!(app.get("/user/me").bearer(&token).send().await.status, 200);

    let answer = app.logout(&token).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "status": "success", "message": "Successfully logged out." }));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));

    let expected = json!({
        "status": "fail", "message": "Token blacklisted. Please log in again.", "code": "token_revoked",
    });
    for request in [app.post("/auth/logout"), app.get("/auth/verify"), app.get("/user/me"), app.get("/user/")] {
        let refused = request.bearer(&token).send().await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.json(), expected);
        assert_refused(&refused, 401, "token_revoked", "a revoked token");
        let challenge = refused.header("WWW-Authenticate").expect("a 401 has a challenge");
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
    }
}

async fn a_logout_survives_a_restart(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    let (gone, kept) = (app.login("ada").await, app.login("ada").await);
    assert_eq!(app.logout(&gone).await.status, 200);
    app.stop().await;

    let app = App::start(&database).await;
    assert_eq!(app.get("/user/me").bearer(&gone).send().await.text("code"), "token_revoked");
    assert_eq!(app.get("/user/me").bearer(&kept).send().await.status, 200);
}

async fn a_logout_on_one_node_is_seen_by_another(database: TestDatabase) {
    let (here, there) = (App::start(&database).await, App::start(&database).await);
    here.register("ada").await;
    let token = here.login("ada").await;
    assert_eq!(there.get("/auth/verify").bearer(&token).send().await.status, 200);
    assert_eq!(here.logout(&token).await.status, 200);
    assert_eq!(there.get("/auth/verify").bearer(&token).send().await.text("code"), "token_revoked");
}

async fn a_fresh_login_is_good_after_a_logout(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    let old = app.login("ada").await;
    app.logout(&old).await;
    let new = app.login("ada").await;
    assert_eq!(app.get("/user/me").bearer(&new).send().await.status, 200);
    assert_eq!(app.get("/user/me").bearer(&old).send().await.status, 401);
}

async fn of_simultaneous_logouts_none_is_left_good(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    let token = app.login("ada").await;
    let (one, two, three) = tokio::join!(app.logout(&token), app.logout(&token), app.logout(&token));
    for answer in [&one, &two, &three] {
        let revoked_meanwhile = answer.status == 401 && answer.text("code") == "token_revoked";
        assert!(answer.status == 200 || revoked_meanwhile, "{}", answer.body);
    }
    assert!([one, two, three].iter().any(|answer| answer.status == 200));
    assert_eq!(app.get("/user/me").bearer(&token).send().await.text("code"), "token_revoked");
}

async fn logging_out_everywhere_ends_every_token_and_no_later_one(database: TestDatabase) {
    let (here, there) = (App::start(&database).await, App::start(&database).await);
    here.register("ada").await;
    here.register("bob").await;
    let (one, two, bystander) = (here.login("ada").await, there.login("ada").await, here.login("bob").await);
    let answer = here.post("/auth/logout-all").bearer(&one).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "status": "success", "message": "Successfully logged out everywhere." }));
    let later = there.login("ada").await;
    for node in [&here, &there] {
        for token in [&one, &two] {
            assert_eq!(node.get("/auth/verify").bearer(token).send().await.text("code"), "token_revoked");
        }
        for token in [&later, &bystander] {
            assert_eq!(node.get("/auth/verify").bearer(token).send().await.status, 200);
        }
    }
    assert_eq!(here.post("/auth/logout-all").send().await.status, 401);
}
