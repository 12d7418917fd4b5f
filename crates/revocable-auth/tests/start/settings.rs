//! Settings that cannot be used.

use std::sync::Arc;
use std::time::Duration;

use auth_core::memory::MemoryStore;
use revocable_auth::{RevocableAuth, StartError, ThrottleLimits};

use crate::{SECRET, builder};

#[tokio::test]
async fn an_error_names_the_setting_that_is_wrong() {
    let mut limits = ThrottleLimits::default();
    limits.account = 1_000;
    let cases = vec![
        ("secret", builder().secret("too short")),
        ("secret", RevocableAuth::builder().database_url("sqlite::memory:")),
        ("database_url", RevocableAuth::builder().secret(SECRET)),
        ("database_url", builder().database_url("oracle://db")),
        ("database_url", builder().database_url("sqlite://app.db?mode=none")),
        ("revocations", builder().users(Arc::new(MemoryStore::new().unwrap()))),
        ("issuer", builder().issuer("")),
        ("audience", builder().audience("")),
        ("token_life", builder().token_life(Duration::from_millis(1_500))),
        ("bcrypt_cost", builder().bcrypt_cost(3)),
        ("throttle", builder().throttle(limits)),
        ("poll", builder().poll(Duration::from_millis(1))),
        ("max_staleness", builder().max_staleness(Duration::from_millis(499))),
        ("purge_interval", builder().purge_interval(Duration::ZERO)),
    ];
    for (field, builder) in cases {
        let error = builder.start().await.unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

#[tokio::test]
async fn neither_an_error_nor_the_builder_shows_the_secret_or_the_url() {
    let url = "postgres://ada:hunter2@db.example/auth?x=hunter2";
    let wrong_secret = || builder().secret("hunter2-secret").database_url(url);
    let error = wrong_secret().start().await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", wrong_secret());
    assert!(!shown.contains("hunter2"), "{shown}");

    let error = builder().database_url(url).start().await.unwrap_err();
    assert_eq!(error.field(), Some("database_url"));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_start_outside_a_runtime_is_an_error_and_no_panic() {
    let mut start = std::pin::pin!(builder().start());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let started = start.as_mut().poll(&mut context);
    assert!(matches!(started, std::task::Poll::Ready(Err(StartError::NoRuntime))));
}
