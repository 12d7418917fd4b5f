//! Confirming an e-mail address by the letter of a registration.

use std::time::Duration;

use auth_core::letters::{Letter, LetterKind};
use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    the_link_of_the_letter_confirms_the_address_once,
    the_code_of_the_letter_confirms_the_address,
    where_it_is_required_nobody_logs_in_before,
);

const REQUIRED: (&str, &str) = ("AUTH_REQUIRE_VERIFIED_EMAIL", "login");

/// The text of the token in the link of a letter.
pub(crate) fn token_of(letter: &Letter) -> String {
    letter.secret.as_ref().expect("a secret").token.expose_text(str::to_owned)
}

/// The code in a letter, as it is shown.
pub(crate) fn code_of(letter: &Letter) -> String {
    let code = letter.secret.as_ref().and_then(|secret| secret.code.as_ref()).expect("a code");
    code.expose_grouped()
}

/// The address that a letter goes to.
pub(crate) fn to(letter: &Letter) -> &str {
    letter.to.as_ref().expect("an address").as_str()
}

async fn verify(app: &App, body: &Value) -> Response {
    app.post("/auth/email/verify").json(body).send().await
}

async fn is_verified(app: &App, token: &str) -> bool {
    let me = app.get("/user/me").bearer(token).send().await.json();
    me["email_verified"].as_bool().unwrap()
}

async fn the_link_of_the_letter_confirms_the_address_once(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    let letter = app.letter().await;
    assert_eq!((letter.kind, to(&letter)), (LetterKind::VerifyEmail, "ada@example.com"));
    assert!(!is_verified(&app, &token).await);

    let proof = json!({ "token": token_of(&letter) });
    let answer = verify(&app, &proof).await;
    let expected = json!({ "status": "success", "message": "Successfully verified the e-mail address." });
    assert_eq!((answer.status, answer.json()), (200, expected), "nobody is logged in by it");
    assert!(answer.header("Set-Cookie").is_none());
    assert!(is_verified(&app, &token).await, "the token from before is still good");
    assert_refused(&verify(&app, &proof).await, 400, "code_invalid", "a link that was used");
    let code = json!({ "email": "ada@example.com", "code": code_of(&letter) });
    assert_refused(&verify(&app, &code).await, 400, "code_invalid", "the code of a link that was used");
}

async fn the_code_of_the_letter_confirms_the_address(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS]).await;
    let token = app.register("ada").await.text("Authorization");
    app.register("bob").await;
    let letters = app.letters().await;
    let of_ada = letters.iter().find(|letter| to(letter) == "ada@example.com").unwrap();
    let code = code_of(of_ada).to_lowercase().replace('-', " ");
    for (email, code) in
        [("bob@example.com", code.as_str()), ("ada@example.com", "2222-2222"), ("eve@example.com", &code)]
    {
        let answer = verify(&app, &json!({ "email": email, "code": code })).await;
        assert_refused(&answer, 400, "code_invalid", email);
    }
    let answer = verify(&app, &json!({ "email": "ADA@example.com", "code": code })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(is_verified(&app, &token).await);
}

async fn where_it_is_required_nobody_logs_in_before(database: TestDatabase) {
    let app = App::start_with(&database, &[App::WITH_LETTERS, REQUIRED]).await;
    let body = json!({ "email": "ada@example.com", "username": "ada", "password": App::PASSWORD });
    let answer = app.post("/auth/register").json(&body).send().await;
    let expected = json!({
        "status": "success", "message": "Successfully registered. Please confirm your e-mail address.",
        "public_id": answer.text("public_id"), "email_verified": false,
    });
    assert_eq!((answer.status, answer.json()), (201, expected));
    let answer = app.try_login("ada@example.com", App::PASSWORD).await;
    assert_refused(&answer, 403, "email_unverified", "the right password");
    assert_eq!(answer.text("message"), "Please confirm your e-mail address first.");
    assert_refused(&app.try_login("ada@example.com", "wrong").await, 401, "invalid_credentials", "a wrong password");

    let proof = json!({ "token": token_of(&app.letter().await) });
    assert_eq!(verify(&app, &proof).await.status, 200);
    let token = app.login("ada").await;
    assert!(is_verified(&app, &token).await);
}

#[tokio::test]
async fn a_registration_with_the_cookie_sets_none_where_the_address_must_be_confirmed() {
    let app = App::in_memory_with(&[App::WITH_LETTERS, REQUIRED]).await;
    let body = json!({ "email": "ada@example.com", "username": "ada", "password": App::PASSWORD, "session": "cookie" });
    let answer = app.post("/user/").json(&body).send().await;
    assert_eq!((answer.status, answer.header("Set-Cookie")), (201, None), "{}", answer.body);
    assert!(answer.json().get("csrf_token").is_none());
}

#[tokio::test]
async fn an_expired_or_malformed_proof_is_answered_like_a_wrong_one_and_a_missing_one_is_named() {
    let app = App::in_memory_with(&[App::WITH_LETTERS]).await;
    app.register("ada").await;
    let letter = app.letter().await;
    app.advance(Duration::from_secs(24 * 60 * 60));
    for body in [
        json!({ "token": token_of(&letter) }),
        json!({ "email": "ada@example.com", "code": code_of(&letter) }),
        json!({ "token": "rao_" }),
        json!({ "token": "" }),
        json!({ "email": "nobody", "code": "ABCD2345" }),
        json!({ "email": "ada@example.com", "code": "0000" }),
    ] {
        let answer = verify(&app, &body).await;
        assert_refused(&answer, 400, "code_invalid", &body.to_string());
        assert_eq!(answer.text("message"), "The link or the code is wrong, was used already or has expired.");
    }
    for (body, field) in [
        (json!({}), "token"),
        (json!({ "token": 7 }), "token"),
        (json!({ "email": "ada@example.com" }), "code"),
        (json!({ "code": "ABCD2345" }), "email"),
        (json!({ "token": token_of(&letter), "email": "ada@example.com", "code": "ABCD2345" }), "token"),
    ] {
        let answer = verify(&app, &body).await;
        assert_refused(&answer, 400, "validation_failed", field);
        assert!(answer.json()["errors"][field].is_string(), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_letter_is_sent_again_to_an_address_that_is_not_confirmed_and_every_address_gets_the_same_answer() {
    let app = App::in_memory_with(&[App::WITH_LETTERS]).await;
    app.register("ada").await;
    app.register("bob").await;
    let first = app.letters().await;
    let of = |name: &str| first.iter().find(|letter| to(letter).starts_with(name)).unwrap();
    assert_eq!(verify(&app, &json!({ "token": token_of(of("bob")) })).await.status, 200);

    let expected = json!({ "status": "success", "message": "If this address needs a letter, it is on its way." });
    for (email, letters) in [("ada@example.com", 1), ("bob@example.com", 0), ("nobody@example.com", 0)] {
        let answer = app.post("/auth/email/verify/resend").json(&json!({ "email": email })).send().await;
        assert_eq!((answer.status, answer.json()), (202, expected.clone()), "{email}");
        let written = app.all_letters().await;
        assert_eq!(written.len(), 1, "{email}: the same work, by a decoy");
        assert_eq!(written.iter().filter(|letter| letter.to.is_some()).count(), letters, "{email}");
    }
    assert_eq!(
        verify(&app, &json!({ "token": token_of(of("ada")) })).await.status,
        200,
        "the first letter is good too"
    );
}

#[tokio::test]
async fn a_letter_is_in_the_language_that_the_request_asks_for() {
    let app = App::in_memory_with(&[App::WITH_LETTERS]).await;
    for (field, name, language) in
        [("ko-KR,ko;q=0.9,en;q=0.8", "ada", "ko"), ("fr, en;q=0.5, ko;q=0.4", "bob", "en"), ("fr", "eve", "en")]
    {
        let body = json!({ "email": format!("{name}@example.com"), "username": name, "password": App::PASSWORD });
        let answer = app.post("/auth/register").header("Accept-Language", field).json(&body).send().await;
        assert_eq!(answer.status, 201);
        assert_eq!(app.letter().await.language.as_str(), language, "{field}");
    }
}

#[tokio::test]
async fn where_no_letters_are_sent_the_operations_that_need_one_say_so() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    assert!(app.all_letters().await.is_empty());
    for (path, body) in [
        ("/auth/email/verify", json!({ "email": "ada@example.com", "code": "ABCD2345" })),
        ("/auth/email/verify/resend", json!({ "email": "ada@example.com" })),
        ("/auth/password/forgot", json!({ "email": "ada@example.com" })),
        ("/auth/password/reset", json!({ "email": "a@b.example", "code": "ABCD2345", "password": "1234567" })),
        ("/user/me/email", json!({ "email": "new@example.com", "current_password": App::PASSWORD })),
    ] {
        let answer = app.post(path).bearer(&token).json(&body).send().await;
        assert_refused(&answer, 503, "mail_unconfigured", path);
        assert_eq!(answer.text("message"), "This server sends no letters.");
    }
}
