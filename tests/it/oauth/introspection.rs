//! Introspection (RFC 7662), and the answers of OAuth while the log of revocations cannot be read.

use std::sync::Arc;

use auth_core::StoreError;
use auth_core::memory::MemoryStore;
use auth_server::ServerStores;
use auth_tests::{App, FailingLog};
use serde_json::json;

use super::{Machine, assert_error, renew, send};

#[tokio::test]
async fn introspection_says_what_a_good_token_says_and_nothing_of_any_other() {
    let app = App::in_memory().await;
    let judge = Machine::create(&app, "introspect", None).await;
    let machine = Machine::create(&app, "orders:read", None).await;
    let token = machine.token(&app).await;
    let mut of_client = judge.introspect(&app, &token).await;
    let (jti, sub) = (of_client["jti"].take(), of_client["sub"].take());
    assert!(jti.is_string() && sub.is_string());
    let now = 1_767_225_600;
    let expected = json!({
        "active": true, "scope": "orders:read", "client_id": machine.id.to_string(), "token_type": "Bearer",
        "iat": now, "exp": now + 3600, "sub": null, "jti": null, "aud": "auth-api", "iss": "auth-server",
    });
    assert_eq!(of_client, expected);

    let registered = app.register("ada").await;
    let root = app.admin("root").await;
    let ada = registered.text("Authorization");
    let of_user = judge.introspect(&app, &ada).await;
    assert_eq!((&of_user["active"], &of_user["sub"]), (&json!(true), &registered.json()["public_id"]));
    for absent in ["client_id", "username", "scope", "admin", "roles"] {
        assert_eq!(of_user.get(absent), None, "{absent}");
    }
    assert_eq!(judge.introspect(&app, &root).await["admin"], true);

    let login = app.login_to_refresh("ada").await;
    assert_eq!(app.logout(&ada).await.status, 200);
    let forged = format!("{}x", &token[..token.len() - 1]);
    let inactive = [ada, login.text("refresh_token"), forged, machine.secret.clone(), "x".to_owned()];
    for token in &inactive {
        assert_eq!(judge.introspect(&app, token).await, json!({ "active": false }), "{token}");
    }
    let hinted = format!("token={}&token_type_hint=refresh_token", inactive[1]);
    assert_eq!(judge.send(&app, "/oauth/introspect", &hinted).await.json(), json!({ "active": false }));
    assert_eq!(renew(&app, &inactive[1]).await.status, 200, "a question has not used the refresh token up");

    let form = format!("token={token}");
    let refused = machine.send(&app, "/oauth/introspect", &form).await;
    assert_error(&refused, 403, "insufficient_scope", "a client without the scope");
    assert!(!refused.body.contains("active"), "{}", refused.body);
}

#[tokio::test]
async fn a_personal_token_is_good_with_its_own_scopes_until_it_is_revoked() {
    let app = App::in_memory_with(&[("AUTH_USER_SCOPES", "orders:read orders:write")]).await;
    let judge = Machine::create(&app, "introspect", None).await;
    let ada = app.register("ada").await;
    let login = ada.text("Authorization");
    let wanted = json!({ "name": "backup", "scopes": ["orders:read"], "expires_in": 86_400 });
    let made = app.post("/user/me/tokens").bearer(&login).json(&wanted).send().await;
    assert_eq!(made.status, 201, "{}", made.body);
    let token = made.text("token");
    let mut said = judge.introspect(&app, &token).await;
    assert!(said["jti"].take().is_string());
    // The result of a look-up is good for 15 minutes.
    let now = 1_767_225_600;
    let expected = json!({
        "active": true, "scope": "orders:read", "token_type": "Bearer", "iat": now, "exp": now + 900,
        "sub": ada.json()["public_id"], "aud": "auth-api", "iss": "auth-server", "jti": null,
    });
    assert_eq!(said, expected);

    let revoked = send(&app, "/oauth/revoke", &format!("token={token}")).await;
    assert_eq!((revoked.status, revoked.body.as_str()), (200, ""));
    assert_eq!(judge.introspect(&app, &token).await, json!({ "active": false }));
    let left = app.get("/user/me/tokens").bearer(&login).send().await;
    assert_eq!(left.json()["data"], json!([]));
    let made_up = "rap_0000000000000000000000000000000000000000000000";
    assert_eq!(judge.introspect(&app, made_up).await, json!({ "active": false }));
}

#[tokio::test]
async fn nobody_is_told_that_a_token_is_bad_while_nobody_can_tell() {
    let log = Arc::new(FailingLog(|| StoreError::unavailable("dial db.internal:5432")));
    let store = Arc::new(MemoryStore::new().unwrap());
    let stores = ServerStores { log: log.clone(), sessions: log, ..ServerStores::from(store) };
    let app = App::over(stores).await;
    let judge = Machine::create(&app, "introspect", None).await;
    let token = judge.token(&app).await;
    let refresh_token = {
        let sound = App::in_memory().await;
        sound.register("ada").await;
        sound.login_to_refresh("ada").await.text("refresh_token")
    };
    for (path, token) in [("/oauth/introspect", &token), ("/oauth/revoke", &token), ("/oauth/revoke", &refresh_token)] {
        let answer = judge.send(&app, path, &format!("token={token}")).await;
        assert_error(&answer, 503, "temporarily_unavailable", path);
        assert!(!answer.body.contains("db.internal"), "{}", answer.body);
    }
    assert_error(&renew(&app, &refresh_token).await, 503, "temporarily_unavailable", "a renewal");
    let forged = judge.send(&app, "/oauth/introspect", "token=x").await;
    assert_eq!(forged.json(), json!({ "active": false }), "no log is needed to see that");
}
