//! The whole story, and the pages around it.

use poem::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Door, assert_refused, body_of};

#[tokio::test]
async fn a_token_that_was_logged_out_is_refused_and_another_one_is_not() {
    let door = Door::open();
    let registered = door.register("ada").await;
    assert_eq!(registered["status"], "success");
    assert_eq!(registered["message"], "Successfully registered.");
    assert_eq!(registered["token_type"], "Bearer");
    assert_eq!(registered["expires_in"], 86_400);
    let token = door.login("ada").await;
    let twin = door.login("ada").await;
    assert_ne!(token, twin, "two logins in one second are two tokens");

    let me = body_of(door.get("/user/me", &token).await).await;
    assert_eq!(me["email"], "ada@example.org");
    assert_eq!(me["public_id"], registered["public_id"]);
    assert!(me.as_object().unwrap().keys().all(|field| !field.contains("password") && !field.contains("hash")));

    let answer = door.logout(&token).await;
    answer.assert_status_is_ok();
    answer.assert_header("cache-control", "no-store");
    assert_eq!(body_of(answer).await, json!({"status": "success", "message": "Successfully logged out."}));
    for answer in [door.get("/user/me", &token).await, door.logout(&token).await] {
        let body = assert_refused(answer, 401, "token_revoked").await;
        assert_eq!(body["message"], "Token blacklisted. Please log in again.");
    }
    door.get("/user/me", &twin).await.assert_status_is_ok();
}

#[tokio::test]
async fn a_user_is_registered_once() {
    let door = Door::open();
    door.register("ada").await;
    let again = json!({"email": "ADA@example.org", "username": "other", "password": "123456"});
    let body = assert_refused(door.client.post("/user").body_json(&again).send().await, 409, "user_exists").await;
    assert_eq!(body["message"], "User already exists. Please Log in.");
    let name = json!({"email": "other@example.org", "username": "Ada", "password": "123456"});
    assert_refused(door.client.post("/auth/register").body_json(&name).send().await, 409, "username_taken").await;
}

#[tokio::test]
async fn a_good_token_says_whose_it_is_in_headers_too() {
    let door = Door::open();
    let registered = door.register("ada").await;
    let answer = door.get("/auth/verify", registered["Authorization"].as_str().unwrap()).await;
    answer.assert_status_is_ok();
    answer.assert_header("x-auth-user-id", registered["public_id"].as_str().unwrap());
    answer.assert_header("x-auth-admin", "false");
    let claims = body_of(answer).await;
    assert_eq!(claims["user_id"], registered["public_id"]);
    assert_eq!(claims["admin"], false);
    assert_eq!(claims["issued_at"], "2026-09-21T14:13:20Z");
    assert_eq!(claims["expires_at"], "2026-09-22T14:13:20Z");
    assert!(claims["token_id"].is_string());
}

#[tokio::test]
async fn a_gateway_may_append_the_path_it_asks_about_and_keep_the_method() {
    let door = Door::open();
    let token = door.register("ada").await["Authorization"].as_str().unwrap().to_owned();
    for path in ["/auth/verify/", "/auth/verify/private/page", "/auth/verify//../user/%2e%2e"] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let asked = |token: &str| {
                let request =
                    door.client.request(method.clone(), path).header("authorization", format!("Bearer {token}"));
                request.body("a body that nobody reads").send()
            };
            let answer = asked(&token).await;
            answer.assert_status_is_ok();
            answer.assert_header("x-auth-admin", "false");
            assert_refused(asked("no.token.ofours").await, 401, "token_invalid").await;
        }
    }
    let elsewhere = door.client.post("/auth/verify").header("authorization", format!("Bearer {token}")).send().await;
    assert_refused(elsewhere, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn only_an_admin_lists_users_and_pages_follow_each_other() {
    let door = Door::open();
    for name in ["a", "b", "c", "d", "e"] {
        door.register(name).await;
        door.clock.advance(std::time::Duration::from_millis(5));
    }
    let body = assert_refused(door.get("/user/", &door.login("a").await).await, 403, "admin_required").await;
    assert_eq!(body["message"], "admin token required");

    let boss = door.app.service().find_by_email(&"a@example.org".parse().unwrap()).await.unwrap();
    door.app.service().promote(boss.id).await.unwrap();
    let admin = door.login("a").await;
    let mut seen = Vec::new();
    let mut path = "/user/?limit=2".to_owned();
    loop {
        let page = body_of(door.get(&path, &admin).await).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else {
            assert!(page["next"].is_null());
            break;
        };
        path = format!("/user?limit=2&after={next}");
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    let wrong = assert_refused(door.get("/user/?limit=0&after=x", &admin).await, 400, "validation_failed").await;
    assert_eq!(wrong["errors"].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn a_user_sees_themself_and_an_admin_sees_everybody() {
    let door = Door::open();
    let ada = door.register("ada").await["public_id"].as_str().unwrap().to_owned();
    let bob = door.register("bob").await["public_id"].as_str().unwrap().to_owned();
    let nobody = "01935a1e-8c00-7def-8123-456789abcdef";
    let token = door.login("ada").await;
    door.get(&format!("/user/{ada}"), &token).await.assert_status_is_ok();
    for other in [bob.as_str(), nobody] {
        assert_refused(door.get(&format!("/user/{other}"), &token).await, 403, "admin_required").await;
    }
    assert_refused(door.get("/user/nonsense", &token).await, 404, "user_not_found").await;
    assert_refused(door.client.get(format!("/user/{ada}")).send().await, 401, "token_missing").await;

    door.app.service().promote(ada.parse().unwrap()).await.unwrap();
    let admin = door.login("ada").await;
    assert_eq!(body_of(door.get(&format!("/user/{bob}"), &admin).await).await["username"], "bob");
    let body = assert_refused(door.get(&format!("/user/{nobody}"), &admin).await, 404, "user_not_found").await;
    assert_eq!(body["message"], "User not found.");
}

#[tokio::test]
async fn the_documents_are_where_clients_look_for_them() {
    let door = Door::open();
    let home = door.client.get("/").send().await;
    home.assert_status(StatusCode::FOUND);
    home.assert_header("location", "docs");
    door.client.get("/docs").send().await.assert_status_is_ok();
    door.client.get("/docs/").send().await.assert_content_type("text/html; charset=utf-8");
    let one = body_of(door.client.get("/openapi.json").send().await).await;
    let other = body_of(door.client.get("/swagger.json").send().await).await;
    assert_eq!(one, other);
    assert_eq!(one["paths"]["/user/"]["get"]["security"], json!([{"bearer": []}]));
    assert_eq!(one["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let body = &one["paths"]["/user/"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/RegisterRequest");
    assert_eq!(one["components"]["schemas"]["RegisterRequest"]["required"], json!(["email", "username", "password"]));
}

#[tokio::test]
async fn the_head_of_a_get_is_answered_without_a_body() {
    let door = Door::open();
    let answer = door.client.head("/livez").send().await;
    answer.assert_status_is_ok();
    answer.assert_text("").await;
}
