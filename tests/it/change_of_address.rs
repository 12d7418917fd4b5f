//! Changing the e-mail address of an account, and taking the old one back.

use auth_core::letters::{Letter, LetterKind};
use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::json;

use crate::verification::{to, token_of};

auth_testing::on_every_database!(
    the_new_address_confirms_and_the_old_one_can_undo_it,
    an_address_that_is_taken_gets_the_same_answer_and_its_owner_is_told,
);

async fn change(app: &App, token: &str, email: &str, password: &str) -> Response {
    let body = json!({ "email": email, "current_password": password });
    app.post("/user/me/email").bearer(token).json(&body).send().await
}

async fn address(app: &App, token: &str) -> String {
    app.get("/user/me").bearer(token).send().await.text("email")
}

async fn use_link(app: &App, path: &str, letter: &Letter) -> Response {
    app.post(path).json(&json!({ "token": token_of(letter) })).send().await
}

async fn the_new_address_confirms_and_the_old_one_can_undo_it(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    app.letters().await;
    let answer = change(&app, &token, "new@example.org", App::PASSWORD).await;
    let expected = json!({ "status": "success", "message": "A letter is on its way to the new e-mail address." });
    assert_eq!((answer.status, answer.json()), (202, expected));
    let letter = app.letter().await;
    assert_eq!((letter.kind, to(&letter)), (LetterKind::ChangeEmail, "new@example.org"));
    assert_eq!(address(&app, &token).await, "ada@example.com", "until the new address confirms");
    assert_refused(
        &use_link(&app, "/auth/email/undo", &letter).await,
        400,
        "code_invalid",
        "a link for another purpose",
    );

    assert_eq!(use_link(&app, "/auth/email/verify", &letter).await.status, 200);
    assert_eq!(address(&app, &token).await, "new@example.org");
    assert_eq!(app.try_login("new@example.org", App::PASSWORD).await.status, 200);
    let told = app.letter().await;
    assert_eq!((told.kind, to(&told)), (LetterKind::EmailChanged, "ada@example.com"));
    let taken = json!({ "email": "ada@example.com", "username": "other", "password": App::PASSWORD });
    let answer = app.post("/user/").json(&taken).send().await;
    assert_refused(&answer, 409, "user_exists", "the old address is kept for its owner");

    let answer = use_link(&app, "/auth/email/undo", &told).await;
    assert_eq!((answer.status, answer.text("status")), (200, "success".to_owned()), "{}", answer.body);
    assert_refused(&app.get("/user/me").bearer(&token).send().await, 401, "token_revoked", "a token from before");
    assert_refused(&app.try_login("ada@example.com", App::PASSWORD).await, 401, "invalid_credentials", "the password");
    let letter = app.letter().await;
    assert_eq!((letter.kind, to(&letter)), (LetterKind::ResetPassword, "ada@example.com"));
    let reset = json!({ "token": token_of(&letter), "password": "a new password" });
    assert_eq!(app.post("/auth/password/reset").json(&reset).send().await.status, 200);
    assert_eq!(app.try_login("ada@example.com", "a new password").await.status, 200);
    assert_refused(&use_link(&app, "/auth/email/undo", &told).await, 400, "code_invalid", "used up");
}

async fn an_address_that_is_taken_gets_the_same_answer_and_its_owner_is_told(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    app.register("bob").await;
    app.letters().await;
    let free = change(&app, &token, "free@example.org", App::PASSWORD).await;
    let pending = app.letter().await;
    let taken = change(&app, &token, "Bob@example.com", App::PASSWORD).await;
    assert_eq!((taken.status, &taken.body), (free.status, &free.body));
    let told = app.letter().await;
    assert_eq!((told.kind, to(&told)), (LetterKind::EmailInUse, "bob@example.com"));
    let stale = use_link(&app, "/auth/email/verify", &pending).await;
    assert_refused(&stale, 400, "code_invalid", "the request before ended");
}

#[tokio::test]
async fn whoever_confirms_an_address_that_was_registered_meanwhile_is_told_so() {
    let app = App::in_memory_with(&[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    app.letters().await;
    assert_eq!(change(&app, &token, "bob@example.com", App::PASSWORD).await.status, 202);
    let letter = app.letter().await;
    app.register("bob").await;
    assert_refused(&use_link(&app, "/auth/email/verify", &letter).await, 409, "user_exists", "taken meanwhile");
    assert_eq!(address(&app, &token).await, "ada@example.com");
}

#[tokio::test]
async fn a_change_needs_the_current_password_and_another_address() {
    let app = App::in_memory_with(&[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    app.letters().await;
    for wrong in ["wrong", "", "x\u{0}"] {
        let answer = change(&app, &token, "new@example.org", wrong).await;
        assert_refused(&answer, 401, "invalid_credentials", wrong);
    }
    let answer = change(&app, &token, "ADA@example.com", App::PASSWORD).await;
    assert_refused(&answer, 400, "validation_failed", "the address that it has");
    assert_eq!(answer.json()["errors"], json!({ "email": "'email' must not be the present address of the account" }));
    let answer = app.post("/user/me/email").bearer(&token).json(&json!({ "email": "nobody" })).send().await;
    assert_refused(&answer, 400, "validation_failed", "two wrong fields");
    assert_eq!(answer.json()["errors"].as_object().unwrap().len(), 2);
    let body = json!({ "email": "new@example.org", "current_password": App::PASSWORD });
    let answer = app.post("/user/me/email").json(&body).send().await;
    assert_refused(&answer, 401, "token_missing", "no token");
    assert!(app.letters().await.is_empty());
}
