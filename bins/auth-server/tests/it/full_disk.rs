//! The program on SQLite while its disk is full, and after there is room again.
//!
//! The disk is a small `tmpfs`, which only root can mount.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use auth_testing::databases::skip;
use tempfile::TempDir;

use crate::process::{PASSWORD, Server, member};

/// A small mounted file system.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts a disk of this size. Returns `None`, and reports the skipped test, if that is not possible.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        skip("a tmpfs cannot be mounted here; it takes root");
        None
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn filling(&self) -> PathBuf {
        self.folder.path().join("filling")
    }

    /// Fills the disk except for this number of bytes.
    fn fill(&self, free: u64) {
        let mut file = File::create(self.filling()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full.saturating_sub(free)).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.filling()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// The responses that the clients of one server got.
#[derive(Default)]
struct Acknowledged {
    registered: u32,
    users: Vec<String>,
    logged_out: Vec<String>,
    /// Tokens that are valid.
    tokens: Vec<String>,
}

impl Acknowledged {
    /// Registers a new user. Returns the status.
    fn register(&mut self, server: &Server) -> u16 {
        self.registered += 1;
        let name = format!("user{}", self.registered);
        let account = format!(r#"{{"email":"{name}@example.com","username":"{name}","password":"{PASSWORD}"}}"#);
        let (status, answer) = server.call("POST", "/user/", None, &account);
        if status == 201 {
            self.tokens.push(member(&answer, "Authorization"));
            self.users.push(name);
        }
        status
    }

    /// Logs a valid token out. Returns the status.
    fn log_out(&mut self, server: &Server) -> u16 {
        let token = self.tokens.remove(0);
        let (status, _) = server.call("POST", "/auth/logout", Some(&token), "");
        if status == 200 {
            self.logged_out.push(token);
        }
        status
    }

    /// Registers and logs out until both fail, or until no token is left to log out.
    fn write_until_refused(&mut self, server: &Server) {
        let (mut registration, mut logout) = (0, 0);
        while (registration, logout) != (503, 503) && !self.tokens.is_empty() {
            registration = self.register(server);
            logout = self.log_out(server);
            assert!([201, 503].contains(&registration) && [200, 503].contains(&logout), "{registration}, {logout}");
        }
        assert_eq!(registration, 503, "the disk was never full");
    }

    /// Checks that the server keeps everything that it acknowledged.
    fn assert_kept(&self, server: &Server) {
        for token in &self.logged_out {
            let (status, answer) = server.call("GET", "/user/me", Some(token), "");
            assert_eq!((status, member(&answer, "code").as_str()), (401, "token_revoked"), "a logout is lost");
        }
        for token in &self.tokens {
            assert_eq!(server.call("GET", "/user/me", Some(token), "").0, 200, "a good token is refused");
        }
        for name in &self.users {
            let login = format!(r#"{{"email":"{name}@example.com","password":"{PASSWORD}"}}"#);
            assert_eq!(server.call("POST", "/auth/login", None, &login).0, 200, "{name} is lost");
        }
    }
}

#[test]
fn what_is_acknowledged_before_while_and_after_the_disk_is_full_is_kept() {
    fill_and_free(1, &[0]);
}

/// With some room left another statement of a write fails first. The disk is large enough for the longest write-ahead log.
#[test]
fn a_disk_that_is_full_again_and_again_loses_nothing() {
    fill_and_free(8, &[0, 4_096, 8_192, 12_288, 20_480, 32_768]);
}

/// Waits until the server is ready. The first response may be that of checks that began on the full disk.
fn until_ready(server: &Server) {
    let began = tokio::time::Instant::now();
    while server.call("GET", "/readyz", None, "").0 != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never ready again");
    }
}

fn fill_and_free(megabytes: u32, rooms: &[u64]) {
    let Some(disk) = SmallDisk::mount(megabytes) else { return };
    let data = disk.data();
    let settings = [("AUTH_DATA_DIR", data.as_str()), ("AUTH_THROTTLE", "off")];
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&folder, &settings);
    let mut acknowledged = Acknowledged::default();

    for &free in rooms {
        for _ in 0..3 {
            assert_eq!(acknowledged.register(&server), 201);
        }
        assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
        disk.fill(free);
        acknowledged.write_until_refused(&server);
        assert_eq!(server.call("GET", "/readyz", None, "").0, 503, "ready with {free} bytes free");

        disk.free();
        until_ready(&server);
        assert_eq!(acknowledged.register(&server), 201);
        assert_eq!(acknowledged.log_out(&server), 200);
        acknowledged.assert_kept(&server);
    }

    let (status, output) = server.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(!output.contains("database is locked"), "{output}");
    let mut server = Server::start(&folder, &settings);
    acknowledged.assert_kept(&server);
    assert_eq!(server.terminate().0.code(), Some(0));
}
