//! Registering.

use auth_testing::databases::TestDatabase;
use auth_tests::{App, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    a_visitor_registers_and_holds_a_token,
    the_names_of_the_first_clients_work_too,
    an_email_address_registers_once_however_it_is_spelt,
    a_username_registers_once_however_it_is_spelt,
    one_of_two_simultaneous_registrations_wins,
);

async fn a_visitor_registers_and_holds_a_token(database: TestDatabase) {
    let app = App::start(&database).await;
    let answer = app.post("/auth/register").json(&ada()).send().await;

    assert_eq!(answer.status, 201);
    assert_eq!(answer.text("status"), "success");
    assert_eq!(answer.text("message"), "Successfully registered.");
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.json()["expires_in"], 24 * 60 * 60);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));

    let me = app.get("/user/me").bearer(&answer.text("Authorization")).send().await;
    assert_eq!(me.status, 200);
    let user = me.json();
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(user["username"], "ada");
    assert_eq!(user["admin"], false);
    assert_eq!(user["public_id"], answer.json()["public_id"]);
    assert_eq!((&user["email_verified"], &user["last_login_at"]), (&json!(false), &Value::Null));
    assert_eq!(
        members(&user),
        ["admin", "email", "email_verified", "last_login_at", "public_id", "registered_on", "roles", "username"]
    );
}

async fn the_names_of_the_first_clients_work_too(database: TestDatabase) {
    let app = App::start(&database).await;
    for (path, name) in [("/user/", "grace"), ("/user", "edsger")] {
        let body = json!({
            "email": format!("{name}@example.com"), "username": name, "password": "123456", "public_id": "ignored",
        });
        let answer = app.post(path).json(&body).send().await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
        assert_eq!(answer.text("message"), "Successfully registered.");
        assert_ne!(answer.text("public_id"), "ignored");
    }
}

async fn an_email_address_registers_once_however_it_is_spelt(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    for (number, spelling) in ["ada@example.com", "ADA@example.COM", "  ada@example.com  "].iter().enumerate() {
        let body = json!({ "email": spelling, "username": format!("other{number}"), "password": "123456" });
        let answer = app.post("/user/").json(&body).send().await;
        assert_eq!(answer.status, 409, "{spelling:?}");
        let expected =
            json!({ "status": "fail", "message": "User already exists. Please Log in.", "code": "user_exists" });
        assert_eq!(answer.json(), expected);
    }
}

async fn a_username_registers_once_however_it_is_spelt(database: TestDatabase) {
    let app = App::start(&database).await;
    app.register("ada").await;
    for spelling in [" ADA ", "Ada", "ａｄａ", "\u{3000}ada"] {
        let body = json!({ "email": "other@example.com", "username": spelling, "password": "123456" });
        let answer = app.post("/user/").json(&body).send().await;
        assert_eq!((answer.status, answer.text("code")), (409, "username_taken".to_owned()), "{spelling:?}");
        assert_eq!(answer.text("status"), "fail");
    }
}

async fn one_of_two_simultaneous_registrations_wins(database: TestDatabase) {
    let app = App::start(&database).await;
    let body = ada();
    let (one, other) = tokio::join!(app.post("/user/").json(&body).send(), app.post("/user/").json(&body).send());
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn a_field_that_is_missing_or_wrong_is_named() {
    let app = App::in_memory().await;
    for (field, wrong) in [
        ("email", Value::Null),
        ("email", json!(7)),
        ("email", json!("no at sign")),
        ("email", json!("")),
        ("email", json!(format!("{}@example.com", "x".repeat(250)))),
        ("username", Value::Null),
        ("username", json!(["ada"])),
        ("username", json!(" ")),
        ("username", json!("x".repeat(51))),
        ("username", json!("ada  lovelace")),
        ("username", json!("\u{2800}")),
        ("username", json!("ada\u{3164}")),
        ("username", json!("ada\u{e000}")),
        ("username", json!("ada\u{378}")),
        ("username", json!("ada\u{ffff}")),
        ("username", json!("ada\u{202e}")),
        ("password", Value::Null),
        ("password", json!({})),
        ("password", json!("")),
        ("password", json!("12345")),
        ("password", json!("a\0bcdefgh")),
        ("password", json!("x".repeat(73))),
        ("password", json!("x".repeat(257))),
    ] {
        let mut body = ada();
        match wrong {
            Value::Null => drop(body.as_object_mut().unwrap().remove(field)),
            _ => body[field] = wrong.clone(),
        }
        let answer = app.post("/auth/register").json(&body).send().await;
        assert_eq!(answer.status, 400, "{field} = {wrong}");
        let answer = answer.json();
        assert_eq!(answer["status"], "fail", "{field} = {wrong}");
        assert_eq!(answer["code"], "validation_failed", "{field} = {wrong}");
        assert_eq!(answer["message"], "Input payload validation failed", "{field} = {wrong}");
        assert_eq!(members(&answer["errors"]), [field], "{field} = {wrong}");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = App::in_memory().await;
    let body = json!({ "email": "nobody", "username": "", "password": "" });
    let answer = app.post("/auth/register").json(&body).send().await;
    assert_eq!(answer.status, 400);
    assert_eq!(members(&answer.json()["errors"]), ["email", "password", "username"]);
    let body = json!({ "email": "nobody", "username": "ada", "password": "12345" });
    let answer = app.post("/auth/register").json(&body).send().await;
    assert_eq!(members(&answer.json()["errors"]), ["email", "password"], "a password that is too short is one of them");

    let body = json!({ "email": 5, "password": "hunter2\u{0}" });
    let answer = app.post("/user/").json(&body).send().await;
    assert_refused(&answer, 400, "validation_failed", "three wrong fields");
    assert!(!answer.body.contains("hunter2"));
    let answer = answer.json();
    assert_eq!(answer["message"], "Input payload validation failed");
    assert_eq!(answer["errors"]["email"], "'email' is not of type 'string'");
    assert_eq!(answer["errors"]["username"], "'username' is a required property");
    assert!(answer["errors"]["password"].is_string());
    let body = json!({ "email": "a@b.example", "username": "a", "password": "12345" });
    let answer = app.post("/user").json(&body).send().await;
    assert_refused(&answer, 400, "validation_failed", "a short password");
    assert_eq!(answer.json()["errors"]["password"], "'password' must have at least 6 characters");
}

#[tokio::test]
async fn a_password_of_72_bytes_is_taken_whole() {
    let app = App::in_memory().await;
    let password = "x".repeat(72);
    let body = json!({ "email": "ada@example.com", "username": "ada", "password": password });
    assert_eq!(app.post("/user/").json(&body).send().await.status, 201);
    assert_eq!(app.try_login("ada@example.com", &password).await.status, 200);
    for other in ["x".repeat(71), "x".repeat(73), format!("{}y", "x".repeat(71))] {
        assert_eq!(app.try_login("ada@example.com", &other).await.status, 401);
    }
}

fn ada() -> Value {
    json!({ "email": "ada@example.com", "username": "ada", "password": "123456" })
}

fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
