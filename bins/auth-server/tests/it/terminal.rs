//! Typing a password at a terminal.
//!
//! The pseudo-terminal has its echo on at first, as a real one has. Crates for scripting programs switch the echo off themselves, so a
//! test with them could not see whether the program does.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::yield_now;
use std::time::Duration;

use auth_core::{Email, Password, PasswordHash, PasswordHasher as _, User, UserStore as _, Verdict};
use auth_password::BcryptHasher;
use auth_storage::{ConnectOptions, SeaUserStore, connect};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);
const EMAIL: &str = "ada@example.org";
const FIRST: &str = "the-first-password";
const SECOND: &str = "the-second-password";

#[tokio::test]
async fn a_password_that_is_typed_twice_is_set_and_never_shown() {
    let home = home_of_ada();
    let (before, _) = ada(&home).await;
    let mut terminal = Terminal::set_password(&home, EMAIL);
    assert!(terminal.echoes());
    terminal.answers("Password: ", SECOND);
    terminal.answers("The same again: ", SECOND);
    let code = terminal.end();
    assert_eq!(code, 0, "{}", terminal.screen);
    assert!(terminal.screen.contains(EMAIL), "{}", terminal.screen);
    assert!(!terminal.screen.contains(SECOND), "{}", terminal.screen);
    assert!(terminal.echoes(), "as it was before");

    let (after, hash) = ada(&home).await;
    assert_eq!(after.generation, before.generation.next());
    assert_eq!((is(&hash, FIRST), is(&hash, SECOND)), (false, true));
}

#[tokio::test]
async fn a_password_that_is_not_accepted_changes_nothing_and_the_rule_is_named() {
    let home = home_of_ada();
    let before = ada(&home).await;
    for (typed, again, rule) in [
        (SECOND, "the-second-passwort", "the two passwords differ"),
        ("12345", "12345", "the password must have at least 6 characters"),
    ] {
        let mut terminal = Terminal::set_password(&home, EMAIL);
        terminal.answers("Password: ", typed);
        terminal.answers("The same again: ", again);
        assert_eq!(terminal.end(), 1, "{}", terminal.screen);
        assert!(terminal.screen.contains(rule), "{}", terminal.screen);
        assert!(!terminal.screen.contains(typed) && !terminal.screen.contains(again), "{}", terminal.screen);
        assert_eq!(ada(&home).await, before);
    }
}

#[tokio::test]
async fn ctrl_c_at_the_prompt_ends_the_command_changes_nothing_and_gives_the_echo_back() {
    let home = home_of_ada();
    let before = ada(&home).await;
    let mut terminal = Terminal::set_password(&home, EMAIL);
    terminal.answers("Password: ", "\u{3}");
    assert_eq!(terminal.end(), 130, "{}", terminal.screen);
    assert!(terminal.echoes(), "as it was before");
    assert_eq!(ada(&home).await, before);
}

#[test]
fn nobody_is_asked_for_the_password_of_a_user_who_is_not_there() {
    let home = home_of_ada();
    let mut terminal = Terminal::set_password(&home, "nobody@example.org");
    assert_eq!(terminal.end(), 1, "{}", terminal.screen);
    assert!(!terminal.screen.contains("Password"), "{}", terminal.screen);
}

/// The program at a terminal of its own.
struct Terminal {
    program: Child,
    keyboard: File,
    shows: Receiver<Vec<u8>>,
    /// Everything that appeared on the screen.
    screen: String,
    /// Length of the part of `screen` that was evaluated.
    read: usize,
}

impl Terminal {
    fn set_password(home: &TempDir, user: &str) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        // The program runs in a session of its own, whose controlling terminal this is.
        let program = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_auth-server"), "user", "set-password", user])
            .current_dir(home.path())
            .env_clear()
            .env("AUTH_BCRYPT_COST", "4")
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal.try_clone().unwrap())
            .stderr(terminal)
            .spawn()
            .unwrap();
        let keyboard = File::from(keyboard);
        let (mut output, (sender, shows)) = (keyboard.try_clone().unwrap(), channel());
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            // Reading fails once the program, which has the other side, has ended.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let _ = sender.send(bytes[..count].to_vec());
            }
        });
        Self { program, keyboard, shows, screen: String::new(), read: 0 }
    }

    /// Waits for the prompt and until the echo is off, and types a line.
    fn answers(&mut self, prompt: &str, line: &str) {
        while !self.screen[self.read..].contains(prompt) {
            let more = self.shows.recv_timeout(PATIENCE);
            let more = more.unwrap_or_else(|_| panic!("it did not ask {prompt:?}:\n{}", self.screen));
            self.screen.push_str(str::from_utf8(&more).unwrap());
        }
        self.read = self.screen.len();
        let began = Instant::now();
        while self.echoes() {
            assert!(began.elapsed() < PATIENCE, "what is typed would be seen");
            yield_now();
        }
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until the program ends. Returns its exit code.
    fn end(&mut self) -> i32 {
        while let Ok(more) = self.shows.recv_timeout(PATIENCE) {
            self.screen.push_str(str::from_utf8(&more).unwrap());
        }
        self.program.wait().unwrap().code().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Creates a folder with a database in which Ada is registered.
fn home_of_ada() -> TempDir {
    let home = TempDir::new().unwrap();
    let mut create = Command::new(env!("CARGO_BIN_EXE_auth-server"))
        .args(["user", "create", "--email", EMAIL, "--username", "ada"])
        .current_dir(home.path())
        .env_clear()
        .env("AUTH_BCRYPT_COST", "4")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    create.stdin.take().unwrap().write_all(FIRST.as_bytes()).unwrap();
    assert!(create.wait().unwrap().success());
    home
}

/// Returns the stored user and password hash of Ada.
async fn ada(home: &TempDir) -> (User, PasswordHash) {
    let url = format!("sqlite://{}", home.path().join("data/auth.db").display());
    let database = connect(&url, ConnectOptions::default()).await.unwrap();
    let stored = SeaUserStore::new(database.clone()).find_credentials(&Email::parse(EMAIL).unwrap()).await;
    database.close().await.unwrap();
    let stored = stored.unwrap().unwrap();
    (stored.user, stored.password_hash)
}

fn is(hash: &PasswordHash, password: &str) -> bool {
    let verdict = BcryptHasher::new(4).unwrap().verify(&Password::parse(password).unwrap(), hash);
    verdict.unwrap() == Verdict::Match
}
