//! Managed keys through HTTP: their rotation, their end, their publication, and what the server says of itself.

use std::sync::Arc;
use std::time::Duration;

use auth_core::keys::{KeySet, KeyStore, ManagedKey};
use auth_core::memory::MemoryStore;
use auth_core::{Revocation, StoreError};
use auth_server::app::ServerStores;
use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

auth_testing::on_every_database!(
    a_key_is_published_signs_verifies_and_goes_while_every_token_stays_good,
    a_revoked_key_ends_its_tokens_on_every_node_and_another_one_signs,
    a_restart_and_a_new_master_key_keep_the_tokens,
);

const MASTER: (&str, &str) = ("AUTH_MASTER_KEY", "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=");
const NEW_MASTER: (&str, &str) = ("AUTH_MASTER_KEY", "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=");
const PREVIOUS: (&str, &str) = ("AUTH_MASTER_KEY_PREVIOUS", MASTER.1);
const DAILY: (&str, &str) = ("AUTH_KEY_ROTATION", "1d");

const DAY: Duration = Duration::from_hours(24);

/// The wait of a key that is published: five minutes of `AUTH_JWKS_MAX_AGE`, a poll, and the skew of clocks.
const WAIT: Duration = Duration::from_millis(2 * 3_600_000 + 300_000 + 250);

/// The time for which a key verifies: the life of a token of one day, a second of leeway, a poll, and the skew of clocks.
const KEEP: Duration = Duration::from_millis(26 * 3_600_000 + 1_000 + 250);

async fn jwks(app: &App) -> Response {
    app.get("/.well-known/jwks.json").send().await
}

fn keys_in(answer: &Response) -> Vec<Value> {
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    document["keys"].as_array().unwrap().clone()
}

async fn published(app: &App) -> Vec<String> {
    let answer = jwks(app).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let keys = keys_in(&answer);
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn verify(app: &App, token: &str) -> (u16, String) {
    let answer = app.get("/auth/verify").bearer(token).send().await;
    (answer.status, if answer.status == 200 { String::new() } else { answer.text("code") })
}

fn good() -> (u16, String) {
    (200, String::new())
}

async fn a_key_is_published_signs_verifies_and_goes_while_every_token_stays_good(database: TestDatabase) {
    let (one, other) =
        (App::start_with(&database, &[MASTER, DAILY]).await, App::start_with(&database, &[MASTER, DAILY]).await);
    let pass = |time| [&one, &other].map(|node| node.advance(time));
    let first = published(&one).await;
    assert_eq!((first.len(), &first), (1, &published(&other).await), "one node made the key");
    let early = one.register("ada").await.text("Authorization");
    assert_eq!(kid(&early), first[0]);
    assert_eq!(verify(&other, &early).await, good());

    pass(DAY);
    one.sync_keys().await;
    other.sync_keys().await;
    let both = published(&one).await;
    assert_eq!((both.len(), &both[0], &both), (2, &first[0], &published(&other).await));
    let last = other.login("ada").await;
    assert_eq!(kid(&last), first[0], "the new key does not sign yet");

    pass(WAIT);
    one.sync_keys().await;
    let new = one.login("ada").await;
    assert_eq!(kid(&new), both[1]);
    for token in [&last, &new] {
        // The other node has not read the keys since.
        assert_eq!((verify(&one, token).await, verify(&other, token).await), (good(), good()));
    }
    other.sync_keys().await;
    assert_eq!(kid(&other.login("ada").await), both[1]);
    assert_eq!(published(&one).await.len(), 2, "the old key verifies");

    // A token is good for a second after its end.
    let expired = DAY.saturating_sub(WAIT) + Duration::from_secs(1);
    pass(expired);
    one.sync_keys().await;
    assert_eq!(verify(&one, &last).await, (401, "token_expired".to_owned()));
    pass(KEEP.saturating_sub(expired));
    for node in [&one, &other] {
        node.sync_keys().await;
        let published = published(node).await;
        assert!(!published.contains(&first[0]) && published.contains(&both[1]), "{published:?}");
    }
}

async fn a_revoked_key_ends_its_tokens_on_every_node_and_another_one_signs(database: TestDatabase) {
    let (one, other) = (App::start_with(&database, &[MASTER]).await, App::start_with(&database, &[MASTER]).await);
    let token = one.register("ada").await.text("Authorization");
    for node in [&one, &other] {
        // Twice, so that it is among the verified tokens.
        assert_eq!((verify(node, &token).await, verify(node, &token).await), (good(), good()));
    }
    let revoked = kid(&token);
    one.revoke_key(&revoked).await;
    assert_eq!(verify(&one, &token).await, (401, "token_invalid".to_owned()), "its key has left the ring");
    assert_eq!(verify(&other, &token).await, (401, "token_revoked".to_owned()), "the log says so");

    let after = one.login("ada").await;
    assert_ne!(kid(&after), revoked);
    let present = other.get("/.well-known/jwks.json").header("Cache-Control", "no-cache").send().await;
    assert_eq!((present.status, &keys_in(&present)[0]["kid"]), (200, &kid(&after).into()), "the keys are read first");
    assert_eq!(verify(&other, &after).await, good(), "a key that was not read yet is read now");
    assert_eq!(verify(&other, &token).await.0, 401);
    for node in [&one, &other] {
        assert_eq!(published(node).await, [kid(&after)]);
    }
    let metrics = other.get("/metrics").send().await.body;
    assert!(metrics.contains("auth_signing_keys{state=\"revoked\"} 1\n"), "{metrics}");
}

async fn a_restart_and_a_new_master_key_keep_the_tokens(database: TestDatabase) {
    let first = App::start_with(&database, &[MASTER]).await;
    let token = first.register("ada").await.text("Authorization");
    first.stop().await;
    for settings in [&[MASTER][..], &[NEW_MASTER, PREVIOUS], &[NEW_MASTER]] {
        let node = App::start_with(&database, settings).await;
        assert_eq!(verify(&node, &token).await, good(), "{settings:?}");
        assert_eq!(published(&node).await, [kid(&token)]);
        node.stop().await;
    }
}

#[tokio::test]
async fn every_algorithm_signs_and_is_published_as_a_public_key() {
    for (algorithm, kty) in [("EdDSA", "OKP"), ("ES256", "EC"), ("RS256", "RSA")] {
        let app = App::in_memory_with(&[MASTER, ("AUTH_KEY_ALGORITHM", algorithm)]).await;
        let token = app.register("ada").await.text("Authorization");
        assert_eq!(verify(&app, &token).await, good());
        let key = &keys_in(&jwks(&app).await)[0];
        assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!(kty), &json!(algorithm), &json!("sig")));
        assert_eq!((key["kid"].as_str().unwrap(), kid(&token).len()), (kid(&token).as_str(), 43));
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None);
        }
    }
}

#[tokio::test]
async fn the_public_keys_may_be_cached_and_are_not_sent_twice() {
    let app = App::in_memory_with(&[MASTER, ("AUTH_JWKS_MAX_AGE", "10m")]).await;
    let answer = jwks(&app).await;
    assert_eq!(answer.header("Content-Type"), Some("application/jwk-set+json"));
    assert_eq!(answer.header("Cache-Control"), Some("public, max-age=600"));
    let tag = answer.header("ETag").unwrap().to_owned();
    let known = app.get("/.well-known/jwks.json").header("If-None-Match", &tag).send().await;
    assert_eq!((known.status, known.body.as_str(), known.header("ETag")), (304, "", Some(tag.as_str())));
    assert_eq!(known.header("Cache-Control"), Some("public, max-age=600"));
    let other = app.get("/.well-known/jwks.json").header("If-None-Match", "\"other\"").send().await;
    assert_eq!((other.status, &other.body), (200, &answer.body));
    let head = app.request("HEAD", "/.well-known/jwks.json").send().await;
    assert_eq!((head.status, head.body.as_str(), head.header("ETag")), (200, "", Some(tag.as_str())));
    assert_eq!(app.post("/.well-known/jwks.json").send().await.status, 405);
}

#[tokio::test]
async fn a_secret_is_never_published_and_the_public_halves_of_key_files_are() {
    let secret = App::in_memory().await;
    let answer = jwks(&secret).await;
    assert_eq!((answer.status, answer.text("code")), (404, "not_found".to_owned()));

    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let public = file("public", include_str!("../../crates/auth-jwt/tests/keys/rsa.pub"));
    let old = file("old", "an-earlier-secret-0123456789-abcdefghijklmnopqrstuvwxyz");
    let verifying = [("AUTH_TOKEN_VERIFY_KEY_FILES", public.as_str()), ("AUTH_TOKEN_VERIFY_SECRET_FILES", &old)];
    for (settings, algorithms) in [
        // The secret signs, and is not in the set.
        (&verifying[..], &["RS256"][..]),
        (&[&verifying[..], &[MASTER]].concat(), &["EdDSA", "RS256"]),
    ] {
        let app = App::in_memory_with(settings).await;
        let answer = jwks(&app).await;
        let keys = keys_in(&answer);
        assert_eq!(keys.iter().map(|key| key["alg"].as_str().unwrap()).collect::<Vec<_>>(), algorithms);
        assert!(!answer.body.contains("oct") && !answer.body.contains("\"k\""), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_metadata_are_at_the_place_of_the_issuer_and_name_what_exists() {
    let path = "/.well-known/oauth-authorization-server";
    let settings =
        [MASTER, ("AUTH_TOKEN_ISSUER", "https://auth.example/tenant"), ("AUTH_PUBLIC_URL", "https://auth.example")];
    let app = App::in_memory_with(&settings).await;
    let answer = app.get(&format!("{path}/tenant")).send().await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(answer.header("Cache-Control"), Some("public, max-age=300"));
    insta::assert_json_snapshot!("oauth_authorization_server", answer.json());
    for elsewhere in
        [path.to_owned(), format!("{path}/tenant/"), format!("{path}/other"), format!("{path}/tenant/more")]
    {
        assert_eq!(app.get(&elsewhere).send().await.status, 404, "{elsewhere}");
    }
    for endpoint in ["token", "revocation", "introspection"] {
        let url = answer.json()[format!("{endpoint}_endpoint")].as_str().unwrap().to_owned();
        let post = app.post(url.strip_prefix("https://auth.example").unwrap());
        let status = post.body("application/x-www-form-urlencoded", b"grant_type=x").send().await.status;
        assert!([400, 401].contains(&status), "{endpoint}: {status}");
    }
    let uri = answer.json()["jwks_uri"].as_str().unwrap().to_owned();
    assert_eq!(app.get(uri.strip_prefix("https://auth.example").unwrap()).send().await.status, 200);

    let tag = answer.header("ETag").unwrap();
    assert_eq!(app.get(&format!("{path}/tenant")).header("If-None-Match", tag).send().await.status, 304);
    let unnamed = App::in_memory_with(&[MASTER]).await;
    assert_eq!(unnamed.get(path).send().await.status, 404, "the issuer is no URL");
    let secret = App::in_memory_with(&[("AUTH_TOKEN_ISSUER", "https://auth.example")]).await;
    assert_eq!(secret.get(path).send().await.json().get("jwks_uri"), None);
}

/// Keys that cannot be read.
#[derive(Debug)]
struct Unreachable;

#[async_trait::async_trait]
impl KeyStore for Unreachable {
    async fn load(&self) -> Result<KeySet, StoreError> {
        Err(StoreError::unavailable("cut off"))
    }

    async fn replace(&self, _: &KeySet) -> Result<bool, StoreError> {
        Err(StoreError::unavailable("cut off"))
    }

    async fn revoke(
        &self,
        _: &str,
        _: time::OffsetDateTime,
        _: Option<ManagedKey>,
    ) -> Result<Option<Revocation>, StoreError> {
        Err(StoreError::unavailable("cut off"))
    }
}

#[tokio::test]
async fn while_the_keys_cannot_be_read_a_good_token_is_unavailable_and_nothing_is_published() {
    let good = App::in_memory_with(&[MASTER]).await;
    let token = good.register("ada").await.text("Authorization");
    let store = Arc::new(MemoryStore::new().unwrap());
    let stores = ServerStores { keys: Arc::new(Unreachable), ..ServerStores::from(store.clone()) };
    let app = App::over_with(stores, &[MASTER]).await;
    for path in ["/auth/verify", "/user/me"] {
        let answer = app.get(path).bearer(&token).send().await;
        assert_eq!((answer.status, answer.text("code")), (503, "unavailable".to_owned()), "{path}");
        assert!(answer.header("Retry-After").is_some());
    }
    assert_eq!(verify(&app, "a.b.c").await.0, 401, "this is no token, whatever the keys are");
    assert_eq!(jwks(&app).await.status, 503, "an empty set would look like one that has lost its keys");
    assert_eq!(app.get("/readyz").send().await.status, 503);
}
