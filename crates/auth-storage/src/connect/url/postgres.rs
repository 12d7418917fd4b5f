//! PostgreSQL: `postgres://user:password@host:port/database?option=value`, the form and the words of libpq.

use std::fmt;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::super::error::UrlError;
use super::parts::{Host, Parts, show};
use super::tls::{Tls, TlsMode, TlsOptions};

const DEFAULT_PORT: u16 = 5432;

/// More hosts than this would have too little time each.
const MAX_HOSTS: usize = 8;

/// A PostgreSQL database.
#[derive(Clone)]
pub(in super::super) struct PostgresUrl {
    user: Option<String>,
    password: Option<String>,
    /// In the order in which they are tried.
    hosts: Vec<Host>,
    database: String,
    tls: Tls,
    statement_cache: Option<usize>,
    application_name: Option<String>,
    /// Settings of the session.
    settings: Vec<(String, String)>,
}

const TLS: TlsOptions = TlsOptions {
    mode: &["sslmode", "ssl-mode"],
    modes: &[
        ("disable", TlsMode::Off),
        // libpq tries without encryption first; encryption first is no less.
        ("allow", TlsMode::Preferred),
        ("prefer", TlsMode::Preferred),
        ("require", TlsMode::Required),
        ("verify-ca", TlsMode::VerifyCa),
        ("verify-full", TlsMode::VerifyFull),
    ],
    root: &["sslrootcert", "ssl-root-cert", "ssl-ca"],
    certificate: &["sslcert", "ssl-cert"],
    key: &["sslkey", "ssl-key"],
};

/// The options, as messages list them.
const OPTIONS: &str = "sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, dbname, user, password, \
                       application_name, options, target_session_attrs and statement-cache-capacity";

impl PostgresUrl {
    pub(super) fn parse(rest: &str, env: &impl Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let Parts { user, password, hosts, database, mut query } = Parts::parse(rest, "postgres")?;
        let user = Parts::or_option(user, &mut query, "user")?;
        let password = Parts::or_option(password, &mut query, "password")?;
        let database = Parts::or_option(database, &mut query, "dbname")?;
        let database = database.ok_or_else(|| UrlError::new("it names no database: postgres://host/database"))?;
        let (host, address, port) = (query.take(&["host"])?, query.take(&["hostaddr"])?, query.take(&["port"])?);
        let hosts = with_ports(all_hosts(hosts, host, address)?, port)?;
        let tls = Tls::take(&mut query, &TLS)?;
        refuse_variables(env, &tls, password.is_some())?;
        let primary = [("read-write", ()), ("primary", ()), ("any", ())];
        query.take_word(&["target_session_attrs"], &primary).map_err(|error| {
            UrlError::new(format!("{error}; each of them asks for a server that can be written to"))
        })?;
        let statement_cache = query.take_statement_cache()?;
        let application_name = query.take(&["application_name"])?;
        let mut settings = query.take(&["options"])?.map_or(Ok(Vec::new()), |options| command_line(&options))?;
        settings.extend(query.take_indexed("options["));
        query.finish("PostgreSQL", OPTIONS, unsupported)?;
        Ok(Self { user, password, hosts, database, tls, statement_cache, application_name, settings })
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What the driver is told for each host. Everything that it would take from the environment is set.
    pub(in super::super) fn options(&self) -> Vec<PgConnectOptions> {
        self.hosts.iter().map(|host| self.options_of(host)).collect()
    }

    fn options_of(&self, host: &Host) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&host.name)
            .port(host.port.unwrap_or(DEFAULT_PORT))
            .database(&self.database);
        // PgBouncer refuses the parameter, also when it is empty.
        if !self.settings.is_empty() {
            options = options.options(self.settings.iter().map(|(key, value)| (key, value)));
        }
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(name) = &self.application_name {
            options = options.application_name(name);
        }
        if let Some(capacity) = self.statement_cache {
            options = options.statement_cache_capacity(capacity);
        }
        if let Some((certificate, key)) = self.tls.client() {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options = match self.tls.root() {
            Some(path) => options.ssl_root_cert(path),
            None => options.ssl_root_cert_from_pem(Vec::new()),
        };
        options.ssl_mode(match self.tls.mode {
            // As libpq: there is nobody in between.
            _ if host.is_socket() => PgSslMode::Disable,
            TlsMode::Off => PgSslMode::Disable,
            TlsMode::Preferred => PgSslMode::Prefer,
            TlsMode::Required => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        })
    }
}

/// The hosts of the URL itself, or of the options `host` or `hostaddr`.
fn all_hosts(mut hosts: Vec<Host>, host: Option<String>, address: Option<String>) -> Result<Vec<Host>, UrlError> {
    if let (Some(_), Some(_)) = (&host, &address) {
        return Err(UrlError::new("the options host and hostaddr exclude each other"));
    }
    if let Some(names) = host.or(address) {
        if !hosts.is_empty() {
            return Err(UrlError::new("the option host repeats what stands before the question mark"));
        }
        hosts = names.split(',').map(|name| Host::named(name.to_owned(), None)).collect::<Result<_, _>>()?;
    }
    match hosts.len() {
        0 => Err(UrlError::new(
            "it names no host: postgres://host/database, or postgres:///database?host=/var/run/postgresql",
        )),
        1..=MAX_HOSTS => Ok(hosts),
        _ => Err(UrlError::new(format!("it must name at most {MAX_HOSTS} hosts"))),
    }
}

/// Applies the option `port`: one number for all hosts, or one for each.
fn with_ports(mut hosts: Vec<Host>, option: Option<String>) -> Result<Vec<Host>, UrlError> {
    let Some(option) = option else { return Ok(hosts) };
    if hosts.iter().any(|host| host.port.is_some()) {
        return Err(UrlError::new("the option port repeats what stands before the question mark"));
    }
    let ports: Option<Vec<u16>> = option.split(',').map(Host::port).collect();
    let ports = ports.filter(|ports| ports.len() == 1 || ports.len() == hosts.len());
    let ports = ports.ok_or_else(|| {
        UrlError::new("the option port must be a number from 1 to 65535, or one for each host with commas between")
    })?;
    for (host, port) in hosts.iter_mut().zip(ports.iter().cycle()) {
        host.port = Some(*port);
    }
    Ok(hosts)
}

/// Refuses variables that the driver would take into account and that the URL cannot overrule or does not. Those that
/// weaken or redirect a connection must not come from the environment unnoticed.
fn refuse_variables(env: &impl Fn(&str) -> Option<String>, tls: &Tls, has_password: bool) -> Result<(), UrlError> {
    let is_set = |variable: &str| env(variable).is_some_and(|value| !value.is_empty());
    let has_root = tls.root.is_some();
    for (variable, overruled, option) in [
        ("PGSSLMODE", tls.has_mode, "sslmode"),
        ("PGSSLROOTCERT", has_root, "sslrootcert"),
        ("PGSSLCERT", tls.client.is_some(), "sslcert"),
        ("PGSSLKEY", tls.client.is_some(), "sslkey"),
        ("PGOPTIONS", false, "options"),
        ("PGPASSFILE", has_password || is_set("PGPASSWORD"), "password"),
    ] {
        if !overruled && is_set(variable) {
            return Err(UrlError::new(format!(
                "the variable {variable} is set and is not used; unset it, or move its value into the URL as {option}=…"
            )));
        }
    }
    Ok(())
}

/// Reads `-c name=value` and `--name=value`, as PostgreSQL reads its command line: blanks separate, a backslash takes the
/// meaning from a blank.
fn command_line(text: &str) -> Result<Vec<(String, String)>, UrlError> {
    let wrong = || UrlError::new("the option options must consist of settings such as -c search_path=auth");
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => words.last_mut().ok_or_else(wrong)?.push(characters.next().ok_or_else(wrong)?),
            blank if blank.is_ascii_whitespace() => words.push(String::new()),
            other => words.last_mut().ok_or_else(wrong)?.push(other),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let (setting, is_long) = if word == "-c" {
            (words.next().ok_or_else(wrong)?, false)
        } else if let Some(setting) = word.strip_prefix("--") {
            (setting.to_owned(), true)
        } else {
            (word.strip_prefix("-c").ok_or_else(wrong)?.to_owned(), false)
        };
        let (name, value) = setting.split_once('=').ok_or_else(wrong)?;
        let name = if is_long { name.replace('-', "_") } else { name.to_owned() };
        settings.push((name, value.to_owned()));
    }
    Ok(settings)
}

/// Why an option that libpq knows is refused, where there is more to say than that it is not known.
fn unsupported(option: &str) -> Option<&'static str> {
    match option {
        "channel_binding" => Some("the driver has no channel binding; sslmode=verify-full protects the password"),
        "sslpassword" => Some("the key in sslkey must not be encrypted"),
        "sslcrl" | "sslcrldir" => Some("the driver checks no revocation lists"),
        "sslnegotiation" => Some("the driver asks for encryption in PostgreSQL's own way"),
        "passfile" => Some("put the password into the URL, and the URL into the file AUTH_DATABASE_URL_FILE"),
        "service" | "servicefile" => Some("write the settings of the service into the URL"),
        "connect_timeout" => Some("a connection may take two seconds"),
        _ => None,
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "postgres", self.user.as_deref(), self.password.is_some(), &self.hosts, &self.database)
    }
}
