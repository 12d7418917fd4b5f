//! What a request leaves in the log, and what never gets there.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use auth_core::StoreError;
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_server::ServerStores;
use serde_json::json;

use crate::envelope::Broken;
use crate::support::{Door, body_of};

thread_local! {
    /// What this thread has logged. A test of the default flavour runs on one thread from end to end.
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

async fn log_of(story: impl Future<Output = ()>) -> String {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        subscriber.with_writer(|| ToThread).init();
    });
    story.await;
    String::from_utf8(LINES.take()).unwrap()
}

#[tokio::test]
async fn no_password_and_no_token_gets_into_the_log_even_at_its_finest() {
    let door = Door::open();
    let token = Mutex::new(String::new());
    let log = log_of(async {
        door.register("ada").await;
        let wrong = json!({"email": "ada@example.org", "password": "hunter2-wrong"});
        door.client.post("/auth/login").body_json(&wrong).send().await;
        let broken =
            door.client.post("/auth/login").content_type("application/json").body("{\"password\":\"hunter2-broken");
        broken.send().await;
        let issued = door.login("ada").await;
        door.get("/user/me?token=hunter2-query", &issued).await;
        door.logout(&issued).await;
        door.get("/user/me", &issued).await;
        *token.lock().unwrap() = issued;
    })
    .await;
    let token = token.into_inner().unwrap();
    assert!(log.matches("answered").count() >= 7, "{log}");
    for secret in ["123456", "hunter2", token.as_str(), token.rsplit('.').next().unwrap(), "$2b$"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}

#[tokio::test]
async fn the_cause_of_a_failure_is_on_one_line_with_the_id_of_its_request() {
    let users = Arc::new(MemoryStore::new().unwrap());
    let broken = Broken(|| StoreError::unavailable("dial db.internal:5432"));
    let door = Door::over(ServerStores { users, log: Arc::new(broken), attempts: Arc::new(MemoryAttempts::default()) });
    let registered = door.register("ada").await;
    let token = registered["Authorization"].as_str().unwrap();
    let log = log_of(async {
        let request = door.client.get("/auth/verify").header("Authorization", format!("Bearer {token}"));
        let body = body_of(request.header("X-Request-Id", "find-me").send().await).await;
        assert_eq!(body["code"], "unavailable");
    })
    .await;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("db.internal")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("ERROR") && lines[0].contains("find-me") && lines[0].contains("/auth/verify"), "{log}");
}
