//! A follower in Rust against a real server: logouts that reach it, and a line to the server that fails.

use std::time::Duration;

use auth_core::AuthenticateError;
use auth_follower::{Follower, FollowerOptions};
use auth_testing::databases::{Line, Proxy, TestDatabase};
use auth_tests::App;
use tokio::task::yield_now;
use tokio::time::timeout;

auth_testing::on_every_database!(
    a_logout_on_any_node_reaches_a_follower_and_so_does_the_end_of_all_sessions_and_of_a_key,
);

const MASTER: (&str, &str) = ("AUTH_MASTER_KEY", "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=");
const FEED: (&str, &str) = ("AUTH_FEED", "on");

/// The default bound.
const BOUND: Duration = Duration::from_secs(5);

/// Time between two fetches of the keys.
const COOL_DOWN: Duration = Duration::from_secs(2);

const MILLISECOND: Duration = Duration::from_millis(1);

/// A server with a feed, a line to it, and the URL through that.
async fn server() -> (App, Proxy, String) {
    let app = App::in_memory_with(&[MASTER, FEED]).await;
    app.advance(Duration::from_secs(100));
    app.read_log().await;
    let (proxy, address) = Proxy::before_server(&app.client().address().to_string()).await;
    (app, proxy, format!("http://{address}"))
}

async fn check(follower: &Follower, token: &str) -> &'static str {
    match follower.verifier().authenticate(token).await {
        Ok(_) => "good",
        Err(AuthenticateError::Invalid) => "invalid",
        Err(AuthenticateError::Expired) => "expired",
        Err(AuthenticateError::Revoked) => "revoked",
        Err(AuthenticateError::Unknown(_)) => "unavailable",
    }
}

/// Waits until the follower gives this answer.
async fn until(follower: &Follower, token: &str, answer: &str) {
    let reached = timeout(Duration::from_secs(20), async {
        while check(follower, token).await != answer {
            yield_now().await;
        }
    });
    assert!(reached.await.is_ok(), "{} instead of {answer}", check(follower, token).await);
}

async fn kid(app: &App) -> String {
    let answer = app.get("/.well-known/jwks.json").send().await;
    let document: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    document["keys"][0]["kid"].as_str().unwrap().to_owned()
}

async fn a_logout_on_any_node_reaches_a_follower_and_so_does_the_end_of_all_sessions_and_of_a_key(
    database: TestDatabase,
) {
    let settings = &[MASTER, FEED];
    let (near, far) = (App::start_with(&database, settings).await, App::start_with(&database, settings).await);
    for node in [&near, &far] {
        node.advance(Duration::from_secs(100));
    }
    near.read_log().await;
    let follower = near.follower(&format!("http://{}", near.client().address())).await;
    follower.ready().await;
    let ada = far.register("ada").await.text("Authorization");
    let bob = far.register("bob").await.text("Authorization");
    let eve = far.register("eve").await.text("Authorization");
    for token in [&ada, &bob, &eve] {
        assert_eq!(check(&follower, token).await, "good");
    }
    assert_eq!(far.logout(&ada).await.status, 200);
    far.disable("bob").await;
    near.read_log().await;
    until(&follower, &ada, "revoked").await;
    until(&follower, &bob, "revoked").await;
    assert_eq!(check(&follower, &eve).await, "good");
    far.revoke_key(&kid(&far).await).await;
    near.read_log().await;
    // The follower's own token was signed with that key. The server signs another one once it has read the keys.
    near.sync_keys().await;
    until(&follower, &eve, "revoked").await;
    let stats = follower.stats();
    assert_eq!((stats.bound, stats.blacklist.snapshots, stats.keys.keys), (BOUND, 1, 1));
}

#[tokio::test]
async fn a_follower_that_is_cut_off_accepts_nothing_past_the_bound_and_calls_no_good_token_bad() {
    for line in [Line::Cut, Line::Held, Line::Torn] {
        let (app, proxy, url) = server().await;
        let follower = app.follower(&url).await;
        follower.ready().await;
        let gone = app.register("gone").await.text("Authorization");
        let ended = app.register("ended").await.text("Authorization");
        let good = app.register("good").await.text("Authorization");
        assert_eq!(app.logout(&gone).await.status, 200);
        app.read_log().await;
        until(&follower, &gone, "revoked").await;

        proxy.set(line);
        assert_eq!(app.logout(&ended).await.status, 200);
        app.advance(BOUND);
        for (token, answer) in [(&gone, "revoked"), (&ended, "good"), (&good, "good")] {
            assert_eq!(check(&follower, token).await, answer, "{line:?}, within the bound");
        }
        app.advance(MILLISECOND);
        for (token, answer) in [(&gone, "revoked"), (&ended, "unavailable"), (&good, "unavailable")] {
            assert_eq!(check(&follower, token).await, answer, "{line:?}, past the bound");
        }
        assert!(!follower.is_ready());

        app.read_log().await;
        proxy.set(Line::Open);
        until(&follower, &good, "good").await;
        assert_eq!(check(&follower, &ended).await, "revoked", "{line:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_while_a_follower_is_cut_off_is_accepted_no_longer_than_the_bound() {
    let (app, proxy, url) = server().await;
    let follower = app.follower(&url).await;
    follower.ready().await;
    let old = app.register("ada").await.text("Authorization");
    assert_eq!(check(&follower, &old).await, "good");
    proxy.set(Line::Cut);
    app.advance(COOL_DOWN + MILLISECOND);
    app.revoke_key(&kid(&app).await).await;
    let new = app.login("ada").await;
    assert_eq!(check(&follower, &new).await, "unavailable", "nobody can tell whose key that is");
    app.advance(BOUND.saturating_sub(COOL_DOWN));
    for token in [&old, &new] {
        assert_eq!(check(&follower, token).await, "unavailable");
    }
    app.read_log().await;
    proxy.set(Line::Open);
    until(&follower, &old, "revoked").await;
    app.advance(COOL_DOWN);
    app.read_log().await;
    until(&follower, &new, "good").await;
}

#[tokio::test]
async fn a_follower_that_starts_without_the_server_is_unavailable_until_it_answers() {
    let (app, proxy, url) = server().await;
    let token = app.register("ada").await.text("Authorization");
    proxy.set(Line::Cut);
    let follower = app.follower(&url).await;
    assert_eq!(check(&follower, &token).await, "unavailable");
    assert_eq!(check(&follower, "no token").await, "invalid");
    assert!(!follower.is_ready());
    proxy.set(Line::Open);
    app.advance(COOL_DOWN);
    app.read_log().await;
    follower.ready().await;
    assert_eq!(check(&follower, &token).await, "good");
}

#[tokio::test]
async fn a_client_without_the_scope_or_with_a_wrong_secret_makes_nothing_fresh() {
    let (app, _proxy, url) = server().await;
    let token = app.register("ada").await.text("Authorization");
    let (id, secret) = app.create_client("introspect").await;
    let (other, _) = app.create_client("revocations").await;
    for (id, secret) in [(&id, &secret), (&other, &secret)] {
        let follower = app.follower_with(FollowerOptions::new(&*url, "auth-api", id, secret));
        while follower.stats().blacklist.failures == 0 || follower.stats().keys.keys == 0 {
            yield_now().await;
        }
        assert_eq!(check(&follower, &token).await, "unavailable");
    }
}

#[tokio::test]
async fn a_saved_snapshot_refuses_at_once_and_makes_nothing_fresh() {
    let (app, proxy, url) = server().await;
    let gone = app.register("gone").await.text("Authorization");
    let good = app.register("good").await.text("Authorization");
    assert_eq!(app.logout(&gone).await.status, 200);
    app.read_log().await;
    let folder = tempfile::tempdir().unwrap();
    let (id, secret) = app.create_client("revocations").await;
    let options =
        || FollowerOptions::new(&*url, "auth-api", &*id, &*secret).state_file(folder.path().join("revocations"));
    let first = app.follower_with(options());
    first.ready().await;
    assert_eq!(check(&first, &gone).await, "revoked");
    drop(first);
    let saved = std::fs::metadata(folder.path().join("revocations")).unwrap();
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&saved.permissions()) & 0o777, 0o600);
    assert!(saved.len() > 32);

    proxy.set(Line::Cut);
    let second = app.follower_with(options());
    while second.stats().blacklist.snapshots == 0 {
        yield_now().await;
    }
    assert_eq!((second.is_ready(), second.stats().blacklist.age), (false, None));
    proxy.set(Line::Open);
    app.advance(COOL_DOWN);
    app.read_log().await;
    second.ready().await;
    assert_eq!((check(&second, &gone).await, check(&second, &good).await), ("revoked", "good"));
    assert_eq!(second.stats().blacklist.snapshots, 1, "pages continue the saved snapshot");
}
