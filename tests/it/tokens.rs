//! Every way to be wrong with a header or a token.

use std::time::Duration;

use auth_core::LEEWAY;
use auth_tests::{App, Forge, Response, assert_refused, respellings};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

#[tokio::test]
async fn a_missing_token_is_a_403_at_logout_and_a_401_at_every_other_protected_route() {
    let app = App::in_memory_with(&[("AUTH_FEED", "on")]).await;
    let document = app.get("/openapi.json").send().await.json();
    let mut protected = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation["security"].as_array().is_none_or(Vec::is_empty) {
                continue;
            }
            protected += 1;
            let status = if path == "/auth/logout" { 403 } else { 401 };
            let path = path.replace("{public_id}", "00000000-0000-7000-8000-000000000000");
            for header in [None, Some(""), Some("Bearer"), Some("bearer  ")] {
                let request = app.request(&method.to_uppercase(), &path);
                let request = header.into_iter().fold(request, |request, value| request.header("Authorization", value));
                let answer = request.send().await;
                let what = format!("{method} {path} with {header:?}");
                let expected =
                    json!({ "status": "fail", "message": "Provide a valid auth token.", "code": "token_missing" });
                assert_eq!((answer.status, answer.json()), (status, expected), "{what}");
                assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"auth\""), "{what}");
            }
            assert!(
                operation["responses"][status.to_string()].is_object(),
                "{method} {path} does not document {status}"
            );
        }
    }
    assert!(protected >= 7, "{protected}");
    let bare = app.get("/user").send().await;
    assert_eq!((bare.status, bare.text("code")), (401, "token_missing".to_owned()));
}

#[tokio::test]
async fn a_header_without_a_token_is_a_missing_token() {
    let app = App::in_memory().await;
    assert_missing(&app.get("/user/me").send().await, "no header");
    for value in ["", " ", "Bearer", "Bearer ", "bearer", "Bearer  \t "] {
        let answer = app.get("/user/me").header("Authorization", value).send().await;
        assert_missing(&answer, value);
    }
    let answer = app.get("/user/me").header("X-Authorization", "Bearer x").send().await;
    assert_missing(&answer, "another header");
    let answer = app.get("/user/me?access_token=x&Authorization=Bearer%20x").send().await;
    assert_missing(&answer, "the query");
}

#[tokio::test]
async fn every_protected_route_answers_a_wrong_header_alike() {
    let app = App::in_memory().await;
    for path in ["/auth/verify", "/user/me", "/user/", "/user"] {
        for (header, code) in [
            (None, "token_missing"),
            (Some(""), "token_missing"),
            (Some("Bearer"), "token_missing"),
            (Some("Bearer "), "token_missing"),
            (Some("Bearer nonsense"), "token_invalid"),
            (Some("Bearer a b"), "token_invalid"),
            (Some("Basic dTpw"), "token_invalid"),
            (Some("nonsense"), "token_invalid"),
            (Some("Bearer \u{fc}\u{fc}"), "token_invalid"),
        ] {
            let request =
                header.into_iter().fold(app.get(path), |request, value| request.header("Authorization", value));
            let answer = request.send().await;
            let what = format!("{path} with {header:?}");
            assert_refused(&answer, 401, code, &what);
            let challenge = answer.header("WWW-Authenticate").unwrap();
            assert!(challenge.starts_with("Bearer realm="), "{what}: {challenge}");
            assert_eq!(challenge.contains("error=\"invalid_token\""), code == "token_invalid", "{what}: {challenge}");
            assert!(code != "token_missing" || answer.text("message") == "Provide a valid auth token.", "{what}");
        }
        let two = app.get(path).bearer("a").bearer("b").send().await;
        assert_refused(&two, 401, "token_invalid", "two headers");
    }
}

#[tokio::test]
async fn another_scheme_is_no_token_of_ours() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for value in [
        "Basic".to_owned(),
        "Basic YWRhOjEyMzQ1Ng==".to_owned(),
        format!("Token {token}"),
        format!("Bearer:{token}"),
        format!("Bearer,{token}"),
        token,
    ] {
        assert_invalid(&app.get("/user/me").header("Authorization", &value).send().await, &value);
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let answer = app.get("/user/me").header("authorization", &format!("{scheme} {token}")).send().await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_token_is_invalid() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    let (head, signature) = token.rsplit_once('.').unwrap();
    for text in [
        "x".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "null".to_owned(),
        head.to_owned(),
        format!("{head}."),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!(".{token}"),
        format!("{token} {token}"),
        format!("{token},{token}"),
        format!("Bearer {token}"),
        format!("\"{token}\""),
        format!("{token}\u{e9}"),
        token.to_uppercase(),
        "x".repeat(7000),
        format!("{}.{}.{}", "x".repeat(2000), "y".repeat(2000), "z".repeat(2000)),
    ] {
        let answer = app.get("/user/me").bearer(&text).send().await;
        assert_invalid(&answer, &text);
    }
    for bytes in [b"Bearer \xff\xfe".as_slice(), b"Bearer \x80.\x80.\x80"] {
        let answer = app.get("/user/me").header_bytes("Authorization", bytes).send().await;
        assert_eq!(answer.status, 401, "{bytes:?}");
        assert_eq!(answer.text("status"), "fail");
    }
}

#[tokio::test]
async fn two_headers_are_refused_whichever_is_good() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for (first, second) in [(token.as_str(), "x"), ("x", token.as_str()), (token.as_str(), token.as_str())] {
        let answer = app.get("/user/me").bearer(first).bearer(second).send().await;
        assert_invalid(&answer, "two headers");
    }
}

#[tokio::test]
async fn a_token_that_says_anything_else_is_invalid() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    let genuine = Forge::from_token(&token);
    let ours = app.secret();
    assert_eq!(app.get("/user/me").bearer(&genuine.sign(ours)).send().await.status, 200, "the forger has the secret");

    let forged = |name: &str, forge: Forge| (name.to_owned(), forge.sign(ours));
    let header = |name: &str, value: Value| forged(&format!("{name} = {value}"), genuine.clone().header(name, value));
    let claim = |name: &str, value: Value| forged(&format!("{name} = {value}"), genuine.clone().claim(name, value));
    let attempts = [
        ("no signature".to_owned(), format!("{}.", genuine.clone().header("alg", "none").unsigned())),
        header("alg", json!("none")),
        header("alg", json!("None")),
        header("alg", json!("HS384")),
        header("alg", json!("RS256")),
        header("alg", json!("")),
        header("alg", Value::Null),
        ("HS384".to_owned(), genuine.clone().header("alg", "HS384").sign_with(Algorithm::HS384, ours)),
        ("HS512".to_owned(), genuine.clone().header("alg", "HS512").sign_with(Algorithm::HS512, ours)),
        ("another secret".to_owned(), genuine.sign(&[9; 32])),
        ("an empty secret".to_owned(), genuine.sign(b"")),
        header("kid", json!("unknown")),
        header("kid", json!("")),
        header("kid", json!("../../../../dev/null")),
        header("kid", Value::Null),
        header("typ", json!("JWT")),
        header("typ", json!("jwt")),
        header("typ", Value::Null),
        header("crit", json!(["exp"])),
        claim("iss", json!("https://elsewhere.example")),
        claim("iss", Value::Null),
        claim("aud", json!("somebody else")),
        claim("aud", Value::Null),
        claim("sub", json!("ada")),
        claim("sub", Value::Null),
        claim("jti", json!("1")),
        claim("jti", Value::Null),
        claim("exp", json!("tomorrow")),
        claim("exp", json!(-1)),
        claim("exp", json!(i64::MAX)),
        claim("exp", json!(1e300)),
        claim("exp", Value::Null),
        claim("iat", Value::Null),
        claim("gen", json!(-1)),
        claim("gen", Value::Null),
        claim("admin", json!("true")),
        claim("admin", Value::Null),
    ];
    for (name, token) in attempts {
        let answer = app.get("/user/me").bearer(&token).send().await;
        assert_invalid(&answer, &name);
    }
}

#[tokio::test]
async fn an_embedded_key_is_never_looked_at() {
    let app = App::in_memory().await;
    let genuine = Forge::from_token(&app.register("ada").await.text("Authorization"));
    let jwk = json!({ "kty": "oct", "k": "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk", "alg": "HS256" });
    for (name, value) in [("jwk", jwk), ("jku", json!("http://127.0.0.1:1/")), ("x5u", json!("http://127.0.0.1:1/"))] {
        let answer = app.get("/user/me").bearer(&genuine.clone().header(name, value).sign(&[9; 32])).send().await;
        assert_invalid(&answer, name);
    }
}

#[tokio::test]
async fn rights_cannot_be_written_into_a_token() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    let mut parts: Vec<&str> = token.split('.').collect();
    let admin = Forge::from_token(&token).claim("admin", true).unsigned();
    let claims = admin.split('.').nth(1).unwrap();
    parts[1] = claims;
    assert_invalid(&app.get("/user/").bearer(&parts.join(".")).send().await, "admin");
}

#[tokio::test]
async fn a_token_is_good_until_its_expiry_and_the_leeway_and_not_a_moment_longer() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    app.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(app.get("/user/me").bearer(&token).send().await.status, 200, "at its expiry, within the leeway");
    app.advance(LEEWAY.checked_sub(Duration::from_nanos(1)).unwrap());
    assert_eq!(app.get("/user/me").bearer(&token).send().await.status, 200, "the last nanosecond");
    app.advance(Duration::from_nanos(1));
    let expected = json!({
        "status": "fail", "message": "Signature expired. Please log in again.", "code": "token_expired",
    });
    for request in [app.get("/user/me"), app.post("/auth/logout"), app.get("/auth/verify"), app.get("/user/")] {
        let answer = request.bearer(&token).send().await;
        assert_eq!((answer.status, answer.json()), (401, expected.clone()));
        assert_refused(&answer, 401, "token_expired", "an expired token");
    }
}

#[tokio::test]
async fn a_revoked_token_is_never_good_again_as_time_passes() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    app.logout(&token).await;
    for _ in 0..48 {
        let answer = app.get("/user/me").bearer(&token).send().await;
        assert_eq!((answer.status, answer.text("code")), (401, "token_revoked".to_owned()));
        app.advance(Duration::from_secs(30 * 60));
    }
    app.advance(LEEWAY);
    let answer = app.get("/user/me").bearer(&token).send().await;
    assert_eq!((answer.status, answer.text("code")), (401, "token_expired".to_owned()));
}

#[tokio::test]
async fn a_respelt_token_is_invalid_before_the_logout_and_after() {
    let app = App::in_memory().await;
    // Several tokens, because how many spellings a part has depends on its length.
    for name in ["ada", "grace", "edsger"] {
        let token = app.register(name).await.text("Authorization");
        let spellings = respellings(&token);
        assert!(spellings.len() >= 3 + 3 * 3, "three signatures and paddings on three parts: {}", spellings.len());
        for spelling in &spellings {
            assert_invalid(&app.get("/user/me").bearer(spelling).send().await, spelling);
        }
        assert_eq!(app.logout(&token).await.status, 200);
        for spelling in &spellings {
            assert_invalid(&app.get("/user/me").bearer(spelling).send().await, spelling);
            assert_invalid(&app.logout(spelling).await, spelling);
        }
        assert_eq!(app.get("/user/me").bearer(&token).send().await.text("code"), "token_revoked");
    }
}

fn assert_missing(answer: &Response, what: &str) {
    let expected = json!({ "status": "fail", "message": "Provide a valid auth token.", "code": "token_missing" });
    assert_eq!((answer.status, answer.json()), (401, expected), "{what:?}");
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"auth\""), "{what:?}: no error is named");
}

fn assert_invalid(answer: &Response, what: &str) {
    let expected =
        json!({ "status": "fail", "message": "Invalid token. Please log in again.", "code": "token_invalid" });
    assert_eq!((answer.status, answer.json()), (401, expected), "{what:?}");
    let challenge = answer.header("WWW-Authenticate").expect("a 401 has a challenge");
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
}
