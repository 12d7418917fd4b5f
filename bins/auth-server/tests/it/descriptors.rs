//! Clients that hold connections, and a process with a low limit of descriptors.

use std::net::TcpStream;

use tempfile::TempDir;

use crate::process::{Server, call, command_after, member, operate};

/// Number of connections, which is more than a server with 256 descriptors can accept.
const HELD: usize = 300;

fn metric(server: &Server, name: &str) -> u64 {
    let (_, text) = server.call("GET", "/metrics", None, "");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn idle_connections_take_no_descriptor_from_health_checks_and_from_the_database() {
    let folder = TempDir::new().unwrap();
    let settings = [("AUTH_HEALTH_LISTEN", "127.0.0.1:0"), ("AUTH_LOG_FORMAT", "json")];
    let mut server = Server::spawn(command_after("ulimit -n 256", &folder), &settings);
    let health = member(server.output.lines().last().unwrap(), "health").replace("http://", "");
    let held: Vec<_> = (0..HELD).map(|_| server.connect()).collect();
    assert_eq!(metric(&server, "auth_http_connections_limit"), 128);
    let polls = metric(&server, "auth_blacklist_polls_total");
    while metric(&server, "auth_blacklist_polls_total") < polls + 4 {
        for path in ["/livez", "/readyz"] {
            assert_eq!(server.call("GET", path, None, "").0, 200, "{path}");
            assert_eq!(call(TcpStream::connect(&health).unwrap(), "GET", path, None, "").0, 200, "{path}");
        }
    }
    assert_eq!(metric(&server, "auth_blacklist_poll_failures_total"), 0);
    assert_eq!(metric(&server, "auth_http_accept_failures_total"), 0);
    assert!(metric(&server, "auth_http_connections_closed_for_room_total") >= 172);
    assert_eq!(call(TcpStream::connect(&health).unwrap(), "GET", "/user/me", None, "").0, 404);
    assert_eq!(operate(&folder, &[("AUTH_HEALTH_LISTEN", &health)], &["healthcheck", "--listen", "127.0.0.1:1"]).0, 0);
    let (status, output) = server.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    assert_eq!(output.matches("the limit of connections is reached; for each").count(), 1, "{output}");
    drop(held);
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::spawn(command_after("ulimit -Sn 64 && ulimit -Hn 1024", &folder), &[]);
    assert_eq!(metric(&server, "auth_http_connections_limit"), 1_024 - 128);
    let (_, output) = server.terminate();
    assert!(output.contains("the limit of file descriptors allows fewer connections than usual"), "{output}");
}
