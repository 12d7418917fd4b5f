//! No secret is ever shown. (What the log of a real process says is looked at where the process is tested.)

use std::sync::Arc;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{
    AccessToken, AuthService, Context, Credentials, Email, NewAccount, NewUser, Password, PasswordHash, PasswordPolicy,
    StoredCredentials, UserChange, UserId, Username,
};
use auth_jwt::{JwtCodec, SigningKey, VerifyingKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_tests::App;
use time::OffsetDateTime;

const PASSWORD: &str = "a-password-that-nobody-shows";
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuHASHthatnobodyshowsHASHthatnobod";
const SECRET: &str = "a-signing-secret-that-nobody-shows";

#[tokio::test]
async fn the_debug_form_of_public_types_shows_no_secret() {
    let email = || Email::parse("ada@example.com").unwrap();
    let username = || Username::parse("ada").unwrap();
    let password = || Password::parse(PASSWORD).unwrap();
    let hash = || PasswordHash::new(HASH.to_owned());
    let service = service();
    let session = service
        .register(NewAccount { email: email(), username: username(), password: password() }, &Context::default())
        .await
        .expect("registered")
        .signed_in()
        .expect("signed in");
    let token = session.token.expose_token().to_owned();
    let principal = service.authenticate(&token).await.expect("authenticated");
    let new = NewUser {
        id: UserId::generate(OffsetDateTime::UNIX_EPOCH).unwrap(),
        email: email(),
        username: username(),
        email_verified: false,
        password_hash: hash(),
        admin: false,
        registered_on: OffsetDateTime::UNIX_EPOCH,
    };
    let shown = [
        format!("{:?}", password()),
        format!("{:?}", hash()),
        format!("{:?}", UserChange::Password(hash())),
        format!("{:?}", AccessToken::new(token.clone())),
        format!("{:?}", Credentials { email: email(), password: password() }),
        format!("{:?}", NewAccount { email: email(), username: username(), password: password() }),
        format!("{new:?}"),
        format!("{:?}", StoredCredentials { user: session.user.clone(), password_hash: hash() }),
        format!("{:?}", SigningKey::from_secret(SECRET.as_bytes()).unwrap()),
        format!("{:?}", VerifyingKey::from_secret(SECRET.as_bytes()).unwrap()),
        format!("{:?}", codec()),
        format!("{session:?}"),
        format!("{principal:?}"),
        format!("{service:?}"),
    ];
    let signature = token.rsplit('.').next().unwrap();
    for text in shown {
        for secret in [PASSWORD, HASH, SECRET, token.as_str(), signature] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn errors_show_no_secret() {
    let service = service();
    let email = || Email::parse("ada@example.com").unwrap();
    let login = Credentials { email: email(), password: Password::parse(PASSWORD).unwrap() };
    let error = service.login(login, &Context::default()).await.expect_err("nobody is registered");
    let refused = service.authenticate(SECRET).await.expect_err("no token");
    let short = Password::parse(&format!("{PASSWORD}\0")).expect_err("a NUL");
    for text in [format!("{error} {error:?}"), format!("{refused} {refused:?}"), format!("{short} {short:?}")] {
        for secret in [PASSWORD, SECRET] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn no_answer_repeats_what_was_sent() {
    let app = App::in_memory().await;
    let marker = "echo-me-if-you-dare";
    let bodies = [
        format!(r#"{{"email": "{marker}", "password": "{marker}", "username": "{marker}"}}"#),
        format!(r#"{{"email": 1, "password": ["{marker}"], "username": null}}"#),
        format!(r#"{{"{marker}": "{marker}""#),
        marker.to_owned(),
        format!(r#""{marker}""#),
    ];
    for body in bodies {
        for path in ["/auth/login", "/auth/register"] {
            let answer = app.post(path).body("application/json", body.as_bytes()).send().await;
            assert!(answer.status >= 400, "{path} {body}");
            assert!(!answer.body.contains(marker), "{path} {body}: {}", answer.body);
        }
    }
    let answer = app.get("/user/me").bearer(marker).send().await;
    assert!(!answer.body.contains(marker) && answer.headers.iter().all(|(_, value)| !value.contains(marker)));
    let answer = app.get(&format!("/nowhere/{marker}")).send().await;
    assert!(!answer.body.contains(marker), "{}", answer.body);
}

fn service() -> AuthService {
    let store = Arc::new(MemoryStore::new().unwrap());
    let pool = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
    AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(codec()))
        .passwords(pool)
        .policy(PasswordPolicy::new(6))
        .build()
        .unwrap()
}

fn codec() -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(SECRET.as_bytes()).unwrap(), "https://auth.example", "api")
}
