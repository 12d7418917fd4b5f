//! Setting a new password by a letter.

use std::time::Duration;

use auth_core::letters::LetterKind;
use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::{Value, json};

use crate::verification::{code_of, to, token_of};

auth_testing::on_every_database!(
    a_reset_sets_the_password_ends_every_session_and_logs_nobody_in,
    the_owner_of_an_address_takes_over_an_account_that_a_stranger_registered,
    a_code_is_guessed_within_the_limits_of_a_password,
);

const NEW: &str = "a new password";

async fn forgot(app: &App, email: &str) -> Response {
    app.post("/auth/password/forgot").json(&json!({ "email": email })).send().await
}

async fn reset(app: &App, body: &Value) -> Response {
    app.post("/auth/password/reset").json(body).send().await
}

async fn a_reset_sets_the_password_ends_every_session_and_logs_nobody_in(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    let refresh_token = app.login_to_refresh("ada").await.text("refresh_token");
    app.letters().await;
    assert_eq!(forgot(&app, "Ada@Example.com").await.status, 202);
    let letter = app.letter().await;
    assert_eq!((letter.kind, to(&letter)), (LetterKind::ResetPassword, "ada@example.com"));

    let short = reset(&app, &json!({ "token": token_of(&letter), "password": "12345" })).await;
    assert_refused(&short, 400, "validation_failed", "a short password");
    assert_eq!(short.json()["errors"], json!({ "password": "'password' must have at least 6 characters" }));
    let answer = reset(&app, &json!({ "token": token_of(&letter), "password": "ada@example.com" })).await;
    assert_refused(&answer, 400, "validation_failed", "the address as the password, which uses nothing up");

    let answer = reset(&app, &json!({ "token": token_of(&letter), "password": NEW })).await;
    let expected = json!({ "status": "success", "message": "Successfully reset the password." });
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_refused(&app.get("/user/me").bearer(&token).send().await, 401, "token_revoked", "a token from before");
    assert_refused(&app.refresh(&refresh_token).await, 401, "session_ended", "a session from before");
    assert_refused(&app.try_login("ada@example.com", App::PASSWORD).await, 401, "invalid_credentials", "the old one");
    let answer = app.try_login("ada@example.com", NEW).await;
    assert_eq!(answer.status, 200);
    let me = app.get("/user/me").bearer(&answer.text("Authorization")).send().await;
    assert_eq!(me.json()["email_verified"], true, "a reset proves the address");

    let notice = app.letter().await;
    assert_eq!((notice.kind, notice.secret.is_none()), (LetterKind::PasswordChanged, true));
    for body in [
        json!({ "token": token_of(&letter), "password": NEW }),
        json!({ "email": "ada@example.com", "code": code_of(&letter), "password": NEW }),
    ] {
        assert_refused(&reset(&app, &body).await, 400, "code_invalid", "used up");
    }
}

async fn the_owner_of_an_address_takes_over_an_account_that_a_stranger_registered(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let strangers = app.register("ada").await.text("Authorization");
    let body = json!({ "email": "stranger@example.org", "current_password": App::PASSWORD });
    assert_eq!(app.post("/user/me/email").bearer(&strangers).json(&body).send().await.status, 202);
    let pending = app.letters().await.into_iter().find(|letter| letter.kind == LetterKind::ChangeEmail).unwrap();

    assert_eq!(forgot(&app, "ada@example.com").await.status, 202);
    let letter = app.letter().await;
    let code = json!({ "email": "ada@example.com", "code": code_of(&letter), "password": NEW });
    assert_eq!(reset(&app, &code).await.status, 200);
    assert_refused(&app.get("/user/me").bearer(&strangers).send().await, 401, "token_revoked", "the stranger's token");
    let stale = app.post("/auth/email/verify").json(&json!({ "token": token_of(&pending) })).send().await;
    assert_refused(&stale, 400, "code_invalid", "the stranger's change of address");
    assert_eq!(app.try_login("ada@example.com", NEW).await.status, 200);
}

async fn a_code_is_guessed_within_the_limits_of_a_password(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS, ("AUTH_THROTTLE", "on")]).await;
    app.register("ada").await;
    assert_eq!(forgot(&app, "ada@example.com").await.status, 202);
    let letters = app.letters().await;
    let letter = letters.iter().find(|letter| letter.kind == LetterKind::ResetPassword).unwrap();
    let with = |code: &str| json!({ "email": "ada@example.com", "code": code, "password": NEW });
    let mut refused = 0;
    for number in 0..12 {
        let answer = reset(&app, &with("2222-2222")).await;
        if answer.status == 429 {
            refused += 1;
        } else {
            assert_refused(&answer, 400, "code_invalid", &format!("guess {number}"));
        }
    }
    assert_eq!(refused, 2);
    let answer = reset(&app, &with(&code_of(letter))).await;
    assert_refused(&answer, 429, "too_many_attempts", "the right code has to wait too");
    app.advance(Duration::from_secs(60));
    assert_eq!(reset(&app, &with(&code_of(letter))).await.status, 200);
}

#[tokio::test]
async fn every_address_gets_the_same_answer_and_the_same_work() {
    let app = App::in_memory_with(&[App::WITH_LETTERS]).await;
    app.register("ada").await;
    app.register("bob").await;
    app.disable("bob").await;
    app.letters().await;
    let shape = |answer: &Response| {
        let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
        (answer.status, headers.cloned().collect::<Vec<_>>(), answer.body.clone())
    };
    let mut answers = Vec::new();
    for (email, letters) in [("ada@example.com", 1), ("bob@example.com", 0), ("nobody@example.com", 0)] {
        answers.push(shape(&forgot(&app, email).await));
        let written = app.all_letters().await;
        assert_eq!(written.len(), 1, "{email}");
        assert_eq!(written.iter().filter(|letter| letter.to.is_some()).count(), letters, "{email}");
    }
    let expected = json!({ "status": "success", "message": "If this address needs a letter, it is on its way." });
    assert_eq!((answers[0].0, serde_json::from_str::<Value>(&answers[0].2).unwrap()), (202, expected));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_refused(&forgot(&app, "no at sign").await, 400, "validation_failed", "what is no address");
}

#[tokio::test]
async fn nobody_can_fill_a_mailbox_and_the_limit_of_an_address_is_not_told() {
    let settings = [
        App::WITH_LETTERS,
        ("AUTH_THROTTLE", "on"),
        ("AUTH_TRUSTED_PROXIES", "127.0.0.1"),
        ("AUTH_THROTTLE_LETTERS", "4"),
        ("AUTH_THROTTLE_LETTERS_NETWORK", "20"),
    ];
    let app = App::in_memory_with(&settings).await;
    app.register("ada").await;
    app.letters().await;
    let ask = async |from: &str| {
        let body = json!({ "email": "ada@example.com" });
        app.post("/auth/password/forgot").header("X-Forwarded-For", from).json(&body).send().await
    };
    for number in 0..8 {
        assert_eq!(ask(&format!("192.0.2.{number}")).await.status, 202, "request {number}");
    }
    assert_eq!(app.letters().await.len(), 2, "half of four at once");
    let statuses = [ask("198.51.100.1").await.status, ask("198.51.100.1").await.status];
    assert_eq!(statuses, [202, 202]);
    let mut last = ask("198.51.100.1").await;
    for _ in 0..20 {
        last = ask("198.51.100.1").await;
    }
    assert_refused(&last, 429, "too_many_attempts", "one network asks for all of them");
    let metrics = app.get("/metrics").send().await.body;
    let withheld = metrics.lines().find(|line| line.contains("what=\"withheld_letters\"")).unwrap();
    assert!(!withheld.ends_with(" 0"), "{withheld}");
}
