//! The real server, as a process of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::Failure;
use crate::load::{Request, ask};
use crate::options::Options;

/// How long a server may take until it is ready.
const START: Duration = Duration::from_secs(300);

/// A secret for the servers of one bench: they are nodes of one system.
const SECRET: &str = "4d7a1f0b96c35e82d4870a6b1c9f3e5528b7d0e64a91c3f87e5d20b6a3c8f149";

const SECRET_SETTING: &str = "AUTH_TOKEN_SECRET";

/// Setting that takes the place of the secret.
const PRIVATE_KEY: &str = "AUTH_TOKEN_PRIVATE_KEY_FILE";

/// The password of every user here.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    base: Url,
    program: PathBuf,
    settings: Vec<(String, String)>,
    /// From the start of the process until it was ready.
    pub(crate) ready_after: Duration,
    _folder: TempDir,
}

impl Server {
    /// Starts the server of `options` with these settings besides those that a bench needs, and waits until it is ready.
    /// Its database is a SQLite file of its own unless a setting names another one. It logs into a file.
    pub(crate) async fn start(options: &Options, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        Self::start_in(TempDir::new()?, options, settings).await
    }

    /// Starts a server for followers: it signs with this private key instead of the secret, and serves the feed. It hashes cheaply
    /// and counts no attempts.
    pub(crate) async fn start_with_feed(options: &Options, pem: &str) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        let file = folder.path().join("key.pem");
        fs::write(&file, pem)?;
        let file = file.display().to_string();
        let settings =
            [(PRIVATE_KEY, file.as_str()), ("AUTH_FEED", "on"), ("AUTH_BCRYPT_COST", "4"), ("AUTH_THROTTLE", "off")];
        Self::start_in(folder, options, &settings).await
    }

    async fn start_in(folder: TempDir, options: &Options, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let program = options.server()?;
        let database = format!("sqlite://{}", folder.path().join("bench.db").display());
        let defaults = [
            ("AUTH_ENV", "test"),
            ("AUTH_LISTEN", "127.0.0.1:0"),
            ("AUTH_DOCS", "off"),
            (SECRET_SETTING, SECRET),
            ("AUTH_DATABASE_URL", &database),
        ];
        let settings: Vec<(String, String)> = defaults
            .iter()
            .filter(|(name, _)| {
                !settings.iter().any(|(set, _)| set == name || (*set, *name) == (PRIVATE_KEY, SECRET_SETTING))
            })
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let log = folder.path().join("server.log");
        let began = Instant::now();
        let mut child = Command::new(&program)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let base = loop {
            let said = fs::read_to_string(&log)?;
            if let Some(base) = listening(&said) {
                break base;
            }
            if child.try_wait()?.is_some() || began.elapsed() > START {
                let _ = child.kill();
                return Err(format!("the server did not start:\n{said}").into());
            }
            sleep(Duration::from_millis(5)).await;
        };
        let ready = Request::get(&base.join("/readyz")?, &[])?;
        while ask(&ready).await?.status != 200 {
            if began.elapsed() > START {
                let _ = child.kill();
                return Err("the server did not become ready".into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        let ready_after = began.elapsed();
        Ok(Self { child, base, program, settings, ready_after, _folder: folder })
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Failure> {
        Ok(self.base.join(path)?)
    }

    /// Registers a user and returns their token.
    pub(crate) async fn register(&self, name: &str) -> Result<String, Failure> {
        let body = json!({"email": format!("{name}@example.org"), "username": name, "password": PASSWORD});
        self.token(&Request::post(&self.url("/auth/register")?, &[], &body.to_string())?).await
    }

    /// The request that logs this user in.
    pub(crate) fn login(&self, name: &str) -> Result<Request, Failure> {
        self.login_with(name, PASSWORD)
    }

    /// The request that logs this user in with this password.
    pub(crate) fn login_with(&self, name: &str, password: &str) -> Result<Request, Failure> {
        let body = json!({"email": format!("{name}@example.org"), "password": password});
        Request::post(&self.url("/auth/login")?, &[], &body.to_string())
    }

    /// The token that a registration or a login answers with.
    pub(crate) async fn token(&self, request: &Request) -> Result<String, Failure> {
        let answer = ask(request).await?;
        let body: Value = serde_json::from_str(&answer.body)?;
        body["Authorization"].as_str().map(str::to_owned).ok_or_else(|| format!("no token in {answer:?}").into())
    }

    /// Creates a client and returns a token of it with these scopes.
    pub(crate) async fn client_token(&self, scopes: &str) -> Result<String, Failure> {
        let created = self.output(&["client", "create", "bench", "--scope", scopes, "--json"])?;
        let client: Value = serde_json::from_str(&created)?;
        let pair = [&client["client_id"], &client["client_secret"]].map(|part| part.as_str().unwrap_or_default());
        let basic = format!("Authorization: Basic {}", BASE64_STANDARD.encode(pair.join(":")));
        let form = format!("grant_type=client_credentials&scope={}", scopes.replace(' ', "+"));
        let answer = ask(&Request::form(&self.url("/oauth/token")?, &[basic], &form)?).await?;
        let body: Value = serde_json::from_str(&answer.body)?;
        body["access_token"].as_str().map(str::to_owned).ok_or_else(|| format!("no token in {answer:?}").into())
    }

    /// The request that checks a token.
    pub(crate) fn verify(&self, token: &str) -> Result<Request, Failure> {
        Request::get(&self.url("/auth/verify")?, &[bearer(token)])
    }

    /// The request that logs a token out.
    pub(crate) fn logout(&self, token: &str) -> Result<Request, Failure> {
        Request::post(&self.url("/auth/logout")?, &[bearer(token)], "")
    }

    /// Runs a command of the server's command line with the settings of this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<(), Failure> {
        self.output(arguments).map(|_| ())
    }

    /// Runs such a command and returns what it prints.
    fn output(&self, arguments: &[&str]) -> Result<String, Failure> {
        let envs = self.settings.iter().map(|(name, value)| (name, value));
        let done = Command::new(&self.program).args(arguments).envs(envs).output()?;
        if done.status.success() {
            Ok(String::from_utf8(done.stdout)?)
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned().into())
        }
    }

    /// The processor time that it has used, where the platform tells (in steps of ten milliseconds).
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        processor_time(self.child.id())
    }

    /// Its memory now and at its most, in mebibytes, where the platform tells.
    pub(crate) fn memory(&self) -> Option<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
        };
        Some((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The header that carries a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// User and system time of a process, of which Linux tells in hundredths of a second.
pub(crate) fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

fn listening(log: &str) -> Option<Url> {
    let (_, rest) = log.split_once("listening on ")?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '"')?;
    rest[..end].parse().ok()
}
