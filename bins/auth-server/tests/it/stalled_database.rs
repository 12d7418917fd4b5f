//! The program with a database server that stops answering for a while.

use std::thread;

use auth_testing::databases::{Line, Proxy, TestDatabase};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::process::{PASSWORD, Server, call};

auth_testing::on_every_database!(polling_a_server_whose_database_stalls_drops_no_statement);

/// The deadline of `/readyz` passes while statements are running. Dropping them would leave connections in the middle of a response
/// of the database, on which the driver of MySQL panics.
async fn polling_a_server_whose_database_stalls_drops_no_statement(database: TestDatabase) {
    let Some((proxy, url)) = Proxy::before(&database).await else { return };
    spawn_blocking(move || poll_through(&proxy, &url)).await.unwrap();
}

fn poll_through(proxy: &Proxy, url: &str) {
    let folder = TempDir::new().unwrap();
    let settings = [("AUTH_DATABASE_URL", url), ("AUTH_THROTTLE", "off")];
    let mut server = Server::start(&folder, &settings);
    for round in 0..4 {
        assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
        proxy.set(Line::Held);
        let polls: Vec<_> = (0..30)
            .map(|_| {
                let connection = server.connect();
                thread::spawn(move || call(connection, "GET", "/readyz", None, "").0)
            })
            .collect();
        for poll in polls {
            assert_eq!(poll.join().unwrap(), 503);
        }
        // All responses that were held arrive now, after their deadline.
        proxy.set(Line::Open);
        while server.call("GET", "/readyz", None, "").0 != 200 {}
        for user in 0..5 {
            let name = format!("user{round}{user}");
            let account = format!(r#"{{"email":"{name}@example.com","username":"{name}","password":"{PASSWORD}"}}"#);
            assert_eq!(server.call("POST", "/user/", None, &account).0, 201);
        }
    }
    let (status, output) = server.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(!output.contains("panicked"), "{output}");
}
