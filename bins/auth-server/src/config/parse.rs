//! From raw values to a [`Config`].

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use auth_core::MAX_TOKEN_LIFE;
use auth_jwt::DEFAULT_CACHED_TOKENS;
use auth_jwt::MAX_CACHED_TOKENS;
use ipnet::{IpNet, Ipv4Net};
use tracing_subscriber::EnvFilter;

use super::sources::Layers;
use super::{Config, LogFormat, Origin, Problem, Problems, Profile, Setting, Shown, Sources, duration};

mod keys;
mod throttle;

/// How often the log of revocations is read unless a setting says otherwise: four small reads a second.
const BLACKLIST_POLL: Duration = Duration::from_millis(250);

/// How old what was read of it may be unless a setting says otherwise: eight polls.
const BLACKLIST_MAX_STALENESS: Duration = Duration::from_secs(2);

/// Polling more often than this only burdens the database.
const MIN_BLACKLIST_POLL: Duration = Duration::from_millis(10);

/// Polling less often than this is no revocation any more.
const MAX_BLACKLIST_INTERVAL: Duration = Duration::from_secs(3_600);

pub(super) fn config(sources: Sources) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let layers = sources.open(&mut problems);
    let mut reader = Reader { layers, problems, shown: Vec::new() };
    let profile = reader.profile();

    let listen = reader.take(Setting::Listen, SocketAddr::from(([127, 0, 0, 1], 5000)), |text| {
        text.parse().map_err(|_| "must be an IP address and a port, as in 127.0.0.1:5000 or [::1]:5000")
    });
    reader.warn_of_a_public_address(profile, listen);
    let health_listen = reader.health_listen(listen);
    let data_dir = reader.data_dir();
    let (database_url, database_in_data_dir) = reader.database(profile, &data_dir);
    let tables = reader.tables(&database_url);
    let signing = reader.signing(profile, &data_dir);
    let verifying = reader.verifying(profile);
    let token_ttl = reader.take_shown(
        Setting::TokenTtl,
        Duration::from_secs(86_400),
        |life| duration::format(*life),
        |text| {
            let life = duration::parse(text).ok_or("must be a duration such as 15m, 2h or 1d")?;
            let usable = life.subsec_nanos() == 0 && !life.is_zero() && life <= MAX_TOKEN_LIFE;
            if usable { Ok(life) } else { Err("must be whole seconds, from 1s to 90d") }
        },
    );
    let token_issuer = reader.take(Setting::TokenIssuer, "auth-server".to_owned(), word);
    let token_audience = reader.take(Setting::TokenAudience, "auth-api".to_owned(), word);
    let token_cache = reader.take(Setting::TokenCache, DEFAULT_CACHED_TOKENS, |text| {
        let entries = text.parse().ok().filter(|entries| *entries <= MAX_CACHED_TOKENS);
        entries.ok_or_else(|| format!("must be a number of tokens from 0 to {MAX_CACHED_TOKENS}; 0 remembers none"))
    });
    let passwords = reader.passwords(profile);
    let hashing = reader.hashing();
    let docs = reader.take_shown(Setting::Docs, profile != Profile::Prod, |on| on_off(*on), switch);
    let migrate = reader.take_shown(Setting::Migrate, profile != Profile::Prod, |on| on_off(*on), switch);
    let log = reader.take(Setting::Log, "info".to_owned(), |text| match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("must be directives such as info or warn,auth_server=debug"),
    });
    let log_format = reader.take_shown(
        Setting::LogFormat,
        LogFormat::Text,
        |format| if *format == LogFormat::Json { "json" } else { "text" }.to_owned(),
        |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("must be text or json"),
        },
    );
    let trusted_proxies = reader.take_shown(
        Setting::TrustedProxies,
        Vec::new(),
        |networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        |text| items(text).map(network).collect::<Result<Vec<_>, _>>(),
    );
    let throttle = reader.throttle(profile);
    let (blacklist_poll, blacklist_max_staleness) = reader.blacklist();

    let Reader { problems, shown, .. } = reader;
    problems.into_result(|warnings| Config {
        profile,
        listen,
        health_listen,
        data_dir,
        database_url,
        tables,
        signing,
        verifying,
        token_ttl,
        token_issuer,
        token_audience,
        token_cache,
        passwords,
        hashing,
        docs,
        migrate,
        log,
        log_format,
        trusted_proxies,
        throttle,
        blacklist_poll,
        blacklist_max_staleness,
        warnings,
        shown,
        database_in_data_dir,
    })
}

/// Takes one value after the other and keeps what went wrong. After a problem it goes on with the default, so that the
/// remaining problems are found too.
pub(super) struct Reader {
    layers: Layers,
    problems: Problems,
    shown: Vec<Shown>,
}

impl Reader {
    pub(super) fn raw(&mut self, setting: Setting) -> Option<(String, Origin)> {
        self.layers.value(setting, &mut self.problems)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.layers.variable(name)
    }

    pub(super) fn problem(&mut self, setting: Setting, rule: impl Into<String>) {
        self.problems.push(Problem::new(setting.variable(), rule));
    }

    pub(super) fn show(&mut self, setting: Setting, value: impl Into<String>, origin: Origin) {
        self.shown.push(Shown { setting, value: value.into(), origin });
    }

    pub(super) fn take<T: fmt::Display, E: Into<String>>(
        &mut self,
        setting: Setting,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        self.take_shown(setting, default, ToString::to_string, parse)
    }

    pub(super) fn take_shown<T, E: Into<String>>(
        &mut self,
        setting: Setting,
        default: T,
        show: impl FnOnce(&T) -> String,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        let (value, origin) = match self.raw(setting) {
            None => (default, Origin::Default),
            Some((text, origin)) => match parse(text.trim()) {
                Ok(value) => (value, origin),
                Err(rule) => {
                    self.problem(setting, rule);
                    (default, Origin::Default)
                }
            },
        };
        self.show(setting, show(&value), origin);
        value
    }

    fn profile(&mut self) -> Profile {
        self.take(Setting::Env, Profile::Dev, |text| match text {
            "dev" => Ok(Profile::Dev),
            "test" => Ok(Profile::Test),
            "prod" => Ok(Profile::Prod),
            _ => Err("must be dev, test or prod"),
        })
    }

    /// The weak profiles are for one machine: their defaults suit nobody whom strangers can reach.
    fn warn_of_a_public_address(&mut self, profile: Profile, listen: SocketAddr) {
        if profile != Profile::Prod && !listen.ip().to_canonical().is_loopback() {
            let (listen, env) = (Setting::Listen.variable(), Setting::Env.variable());
            self.problems.warn(format!(
                "{listen} is no loopback address, so that others may reach this server of the {profile} profile, whose \
                 defaults are for trying it out; set {env}=prod"
            ));
        }
    }

    fn health_listen(&mut self, listen: SocketAddr) -> Option<SocketAddr> {
        let setting = Setting::HealthListen;
        let show = |address: &Option<SocketAddr>| address.map_or_else(|| "off".to_owned(), |it| it.to_string());
        let address = self.take_shown(setting, None, show, |text| match text {
            "off" => Ok(None),
            _ => text.parse().map(Some).map_err(|_| "must be off, or an IP address and a port, as in 127.0.0.1:5001"),
        });
        if address == Some(listen) && listen.port() != 0 {
            self.problem(setting, format!("must be another address than {}", Setting::Listen.variable()));
        }
        address
    }

    /// A bound that a poll which is a little late exceeds would send every check to the database.
    fn blacklist(&mut self) -> (Duration, Duration) {
        let interval = |text: &str, least: Duration| {
            let span = duration::parse(text).ok_or("must be a duration such as 250ms or 2s")?;
            let usable = (least..=MAX_BLACKLIST_INTERVAL).contains(&span);
            usable.then_some(span).ok_or("must be at most 1h, and at least 10ms (the bound may be 0s)")
        };
        let show = |span: &Duration| duration::format(*span);
        let setting = Setting::BlacklistPoll;
        let poll = self.take_shown(setting, BLACKLIST_POLL, show, |text| interval(text, MIN_BLACKLIST_POLL));
        let setting = Setting::BlacklistMaxStaleness;
        let bound = self.take_shown(setting, BLACKLIST_MAX_STALENESS, show, |text| interval(text, Duration::ZERO));
        if !bound.is_zero() && bound < 2 * poll {
            self.problem(setting, format!("must be 0s or at least twice {}", Setting::BlacklistPoll.variable()));
        }
        (poll, bound)
    }
}

fn word(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 200 characters")
    }
}

pub(super) fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" | "true" | "1" | "yes" => Ok(true),
        "off" | "false" | "0" | "no" => Ok(false),
        _ => Err("must be on or off"),
    }
}

pub(super) fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Peers are compared by their IPv4 address where they have one, also when they arrive at an IPv6 socket. So a network of
/// IPv4-mapped addresses is that of the IPv4 addresses.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| "must be a list of networks such as 10.0.0.0/8,192.168.1.7".to_owned())?;
    let IpNet::V6(mapped) = network else { return Ok(network) };
    let v4 = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    Ok(v4.map_or(network, IpNet::V4))
}
