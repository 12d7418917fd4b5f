//! Settings of the HTTP server.

use std::net::{IpAddr, SocketAddr};

use auth_http::{AllowedOrigins, Origin};
use ipnet::{IpNet, Ipv4Net};

use super::general::ENV;
use super::profile::Profile;
use super::reader::{Reader, items};
use super::setting::{Declaration, Form, Rule, Section, Setting};

pub(super) static SECTION: Section =
    Section { title: "HTTP", settings: &[&LISTEN, &HEALTH_LISTEN, &TRUSTED_PROXIES, &CORS_ORIGINS, &DOCS] };

pub(crate) static LISTEN: Setting<SocketAddr> = Setting {
    declaration: Declaration {
        meaning: "the address that the server listens on",
        values: "an IP address and a port; port 0 takes a free one",
        details: "The line in the log at start names the port that was taken. An address that is not loopback is warned of in \
                  the profiles `dev` and `test`.",
        ..Declaration::new("AUTH_LISTEN")
    },
    default: |_| SocketAddr::from(([127, 0, 0, 1], 5000)),
    parse: |text, _| {
        text.parse().map_err(|_| "must be an IP address and a port, as in 127.0.0.1:5000 or [::1]:5000".into())
    },
    show: ToString::to_string,
};

pub(crate) static HEALTH_LISTEN: Setting<Option<SocketAddr>> = Setting {
    declaration: Declaration {
        meaning: "a second address, which answers `/livez`, `/readyz` and `/metrics` alone",
        values: "`off`, or an IP address and a port",
        details: "It has 16 connections of its own, so that health checks are answered while clients hold all others.",
        ..Declaration::new("AUTH_HEALTH_LISTEN")
    },
    default: |_| None,
    parse: |text, _| {
        if text == "off" {
            return Ok(None);
        }
        let address = text.parse().map(Some);
        address.map_err(|_| "must be off, or an IP address and a port, as in 127.0.0.1:5001".into())
    },
    show: |address| address.map_or_else(|| "off".to_owned(), |address| address.to_string()),
};

pub(crate) static DOCS: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether `/docs`, `/openapi.json` and `/swagger.json` are served",
        ..Declaration::new("AUTH_DOCS")
    },
    |profile| !matches!(profile, Profile::Prod),
);

pub(super) static TRUSTED_PROXIES: Setting<Vec<IpNet>> = Setting {
    declaration: Declaration {
        meaning: "proxies whose `X-Forwarded-For` is believed",
        values: "comma-separated networks or addresses",
        details: "IPv4-mapped networks (`::ffff:10.0.0.0/104`) mean the IPv4 network (`10.0.0.0/8`).",
        form: Form::List,
        ..Declaration::new("AUTH_TRUSTED_PROXIES")
    },
    default: |_| Vec::new(),
    parse: |text, _| items(text).map(network).collect(),
    show: |networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
};

pub(super) static CORS_ORIGINS: Setting<AllowedOrigins> = Setting {
    declaration: Declaration {
        meaning: "other origins whose pages may use the API from a browser",
        values: "comma-separated origins such as `https://app.example.com`",
        details: "Exact origins as a browser writes them, without a path; `*` is refused. In the profile `prod` they are `https`, \
                  except those of `localhost`. See [Pages of other origins](API.md#pages-of-other-origins).",
        form: Form::List,
        ..Declaration::new("AUTH_CORS_ORIGINS")
    },
    default: |_| AllowedOrigins::default(),
    parse: |text, profile| items(text).map(|item| allowed_origin(item, profile)).collect(),
    show: |origins| origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
};

/// Parses an origin. Over plain HTTP everybody on the network can change its pages, which may read the data of a user.
fn allowed_origin(text: &str, profile: Profile) -> Result<Origin, Rule> {
    let origin = Origin::parse(text).map_err(|rule| rule.to_string())?;
    if profile == Profile::Prod && !origin.is_trustworthy() {
        return Err("must have the scheme https in the profile prod, except for localhost".into());
    }
    Ok(origin)
}

/// Parses a network or a single address.
///
/// Peers are compared by their IPv4 address where they have one, also at an IPv6 socket. So a network of IPv4-mapped addresses is
/// turned into that of the IPv4 addresses.
fn network(text: &str) -> Result<IpNet, Rule> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| "must be a list of networks such as 10.0.0.0/8,192.168.1.7")?;
    let IpNet::V6(mapped) = network else { return Ok(network) };
    let v4 = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    Ok(v4.map_or(network, IpNet::V4))
}

impl Reader {
    /// Reads the two addresses: that of the server and that of health checks.
    pub(super) fn listen(&mut self, profile: Profile) -> (SocketAddr, Option<SocketAddr>) {
        let listen = self.read(&LISTEN, profile);
        // The defaults of the other profiles suit no server that strangers can reach.
        if profile != Profile::Prod && !listen.ip().to_canonical().is_loopback() {
            let (setting, env) = (LISTEN.variable(), ENV.variable());
            self.problems.warn(format!(
                "{setting} is no loopback address, so that others may reach this server of the {profile} profile, whose \
                 defaults are for trying it out; set {env}=prod"
            ));
        }
        let health_listen = self.read(&HEALTH_LISTEN, profile);
        if health_listen == Some(listen) && listen.port() != 0 {
            self.problem(HEALTH_LISTEN.variable(), format!("must be another address than {}", LISTEN.variable()));
        }
        (listen, health_listen)
    }
}
