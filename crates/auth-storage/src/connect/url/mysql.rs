//! MySQL and MariaDB: `mysql://user:password@host:port/database?option=value`.

use std::fmt;
use std::path::PathBuf;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::super::error::UrlError;
use super::parts::{Host, Parts, show};
use super::tls::{Tls, TlsMode, TlsOptions};

const DEFAULT_PORT: u16 = 3306;

/// A MySQL or MariaDB database.
#[derive(Clone)]
pub(in super::super) struct MySqlUrl {
    user: Option<String>,
    password: Option<String>,
    host: Host,
    /// The file of a Unix socket, in place of the host.
    socket: Option<PathBuf>,
    database: String,
    tls: Tls,
    statement_cache: Option<usize>,
}

const TLS: TlsOptions = TlsOptions {
    mode: &["ssl-mode", "sslmode"],
    modes: &[
        ("DISABLED", TlsMode::Off),
        ("PREFERRED", TlsMode::Preferred),
        ("REQUIRED", TlsMode::Required),
        ("VERIFY_CA", TlsMode::VerifyCa),
        ("VERIFY_IDENTITY", TlsMode::VerifyFull),
    ],
    root: &["ssl-ca", "sslca"],
    certificate: &["ssl-cert", "sslcert"],
    key: &["ssl-key", "sslkey"],
};

/// The options, as messages list them.
const OPTIONS: &str = "ssl-mode, ssl-ca, ssl-cert, ssl-key, socket, charset and statement-cache-capacity";

const CHARSET: &str = "utf8mb4";

impl MySqlUrl {
    pub(super) fn parse(rest: &str) -> Result<Self, UrlError> {
        let Parts { user, password, hosts, database, mut query } = Parts::parse(rest, "mysql")?;
        let database = database.ok_or_else(|| UrlError::new("it names no database: mysql://host/database"))?;
        let socket = query.take(&["socket"])?;
        let host = one_host(hosts, socket.is_some())?;
        if socket.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(UrlError::new("the option socket must be an absolute path"));
        }
        let tls = Tls::take(&mut query, &TLS)?;
        query.take_word(&["charset"], &[(CHARSET, ())])?;
        let statement_cache = query.take_statement_cache()?;
        query.finish("MySQL", OPTIONS, unsupported)?;
        let socket = socket.map(PathBuf::from);
        Ok(Self { user, password, host, socket, database, tls, statement_cache })
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What the driver is told.
    pub(in super::super) fn options(&self) -> MySqlConnectOptions {
        let mut options = MySqlConnectOptions::new()
            .host(&self.host.name)
            .port(self.host.port.unwrap_or(DEFAULT_PORT))
            .database(&self.database)
            .charset(CHARSET);
        if let Some(path) = &self.socket {
            options = options.socket(path);
        }
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(capacity) = self.statement_cache {
            options = options.statement_cache_capacity(capacity);
        }
        if let Some(path) = self.tls.root() {
            options = options.ssl_ca(path);
        }
        if let Some((certificate, key)) = self.tls.client() {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options.ssl_mode(match self.tls.mode {
            TlsMode::Off => MySqlSslMode::Disabled,
            TlsMode::Preferred => MySqlSslMode::Preferred,
            TlsMode::Required => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        })
    }
}

fn one_host(mut hosts: Vec<Host>, has_socket: bool) -> Result<Host, UrlError> {
    if hosts.len() > 1 {
        return Err(UrlError::new(
            "it must name one host: put a proxy or a name that moves with the primary before several servers",
        ));
    }
    match hosts.pop() {
        Some(host) if host.is_socket() => Err(UrlError::new("a Unix socket is named by the option socket")),
        Some(host) => Ok(host),
        // The certificate of a server behind a socket is checked against this name.
        None if has_socket => Host::named("localhost".to_owned(), None),
        None => Err(UrlError::new(
            "it names no host: mysql://host/database, or mysql:///database?socket=/run/mysqld/mysqld.sock",
        )),
    }
}

/// Why an option that other clients know is refused, where there is more to say than that it is not known.
fn unsupported(option: &str) -> Option<&'static str> {
    match option {
        "collation" => Some("the tables name their own"),
        "timezone" | "time-zone" => Some("instants are numbers, and every session is in UTC"),
        "tls" | "ssl" | "useSSL" | "sslMode" => Some("TLS is chosen by ssl-mode"),
        _ => None,
    }
}

impl fmt::Display for MySqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = std::slice::from_ref(&self.host);
        show(f, "mysql", self.user.as_deref(), self.password.is_some(), hosts, &self.database)
    }
}
