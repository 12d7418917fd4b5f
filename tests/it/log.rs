//! The lines that a request leaves in the log, and what they never contain.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;

use auth_core::StoreError;
use auth_core::memory::MemoryStore;
use auth_server::ServerStores;
use auth_tests::{App, FailingLog};
use serde_json::json;

thread_local! {
    /// The log of this thread. A test of the default flavour and its server run on one thread.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ToThread;

impl Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns everything that is logged while `story` runs, at every level.
async fn log_of(story: impl Future<Output = ()>) -> String {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).without_time();
    let logging = tracing::subscriber::set_default(subscriber.with_writer(|| ToThread).finish());
    story.await;
    drop(logging);
    String::from_utf8(LINES.take()).unwrap()
}

#[tokio::test]
async fn no_password_and_no_token_gets_into_the_log_even_at_its_finest() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let stores = ServerStores::from(store);
    let app = App::over(stores).await;
    // The first event of a kind in the process registers it. `tracing` may miss a subscriber that comes at that moment.
    app.register("bob").await;
    let mut token = String::new();
    let log = log_of(async {
        app.register("ada").await;
        app.try_login("ada@example.com", "hunter2-wrong").await;
        app.post("/auth/login").body("application/json", b"{\"password\":\"hunter2-broken").send().await;
        token = app.login("ada").await;
        app.get("/user/me?token=hunter2-query").bearer(&token).send().await;
        app.logout(&token).await;
        app.get("/user/me").bearer(&token).send().await;
    })
    .await;
    assert!(log.matches("answered").count() >= 7, "{log}");
    for secret in [App::PASSWORD, "hunter2", token.as_str(), token.rsplit('.').next().unwrap(), "$2b$"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}

#[tokio::test]
async fn the_cause_of_an_error_is_on_one_line_with_the_id_of_its_request() {
    let log = Arc::new(FailingLog(|| StoreError::unavailable("dial db.internal:5432")));
    let users = Arc::new(MemoryStore::new().unwrap());
    let stores = ServerStores { log: log.clone(), sessions: log, ..ServerStores::from(users) };
    let app = App::over(stores).await;
    let token = app.register("ada").await.text("Authorization");
    let log = log_of(async {
        let answer = app.get("/auth/verify").bearer(&token).header("X-Request-Id", "find-me").send().await;
        assert_eq!(answer.json()["code"], json!("unavailable"));
    })
    .await;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("db.internal")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("ERROR") && lines[0].contains("find-me") && lines[0].contains("/auth/verify"), "{log}");
}

#[tokio::test]
async fn a_second_use_of_a_refresh_token_is_a_warning_that_names_the_session() {
    let app = App::in_memory().await;
    let user = app.register("ada").await.text("public_id");
    let login = app.login_to_refresh("ada").await;
    let token = login.text("Authorization");
    let sessions = app.get("/user/me/sessions").bearer(&token).send().await.json();
    let session = sessions["data"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    let (refresh_token, id) = (login.text("refresh_token"), session["id"].as_str().unwrap());
    let mut next = String::new();
    let log = log_of(async {
        next = app.refresh(&refresh_token).await.text("refresh_token");
        app.advance(std::time::Duration::from_mins(1));
        assert_eq!(app.refresh(&refresh_token).await.status, 401);
        assert_eq!(app.refresh(&next).await.status, 401);
    })
    .await;
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("used a second time")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("WARN") && warnings[0].contains(&user) && warnings[0].contains(id), "{log}");
    for secret in [refresh_token.as_str(), &next, &token] {
        assert!(!log.contains(secret), "{log}");
    }
}
