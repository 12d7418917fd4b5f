//! The parts of a server's URL: `//user:password@host:port,host:port/database?options`.

use std::fmt;
use std::net::Ipv6Addr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::error::UrlError;
use super::query::{Query, decode};

/// A server's URL, taken apart and decoded. The options are still to be checked.
pub(super) struct Parts {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) hosts: Vec<Host>,
    pub(super) database: Option<String>,
    pub(super) query: Query,
}

/// One server: a name, an address, or the folder of a Unix socket, which begins with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Host {
    /// Without the brackets of an IPv6 address.
    pub(in super::super) name: String,
    pub(in super::super) port: Option<u16>,
}

impl Parts {
    /// Takes apart what follows the colon of the scheme.
    pub(super) fn parse(rest: &str, scheme: &str) -> Result<Self, UrlError> {
        let form = || UrlError::new(format!("it must have the form {scheme}://user:password@host/database"));
        let rest = rest.strip_prefix("//").ok_or_else(form)?;
        if rest.contains('#') {
            return Err(UrlError::new("it must not contain #; in a password write %23"));
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (non_empty(decode(user)?), non_empty(decode(password)?)),
            None => (None, None),
        };
        if path.contains('/') {
            return Err(UrlError::new(format!("one name must follow the host, that of the database; {ENCODE}")));
        }
        let hosts = if hosts.is_empty() { Vec::new() } else { Host::list(hosts)? };
        Ok(Self { user, password, hosts, database: non_empty(decode(path)?), query: Query::parse(query)? })
    }

    /// Takes a part that may also be given as an option, but not twice.
    #[cfg(feature = "postgres")]
    pub(super) fn or_option(part: Option<String>, query: &mut Query, key: &str) -> Result<Option<String>, UrlError> {
        match (part, query.take(&[key])?) {
            (Some(_), Some(_)) => {
                Err(UrlError::new(format!("the option {key} repeats what stands before the question mark")))
            }
            (part, option) => Ok(part.or_else(|| option.and_then(non_empty))),
        }
    }
}

const ENCODE: &str = "characters such as @ : / ? # in a password must be percent-encoded";

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

impl Host {
    /// Reads `host`, `host:port`, `[::1]:port` or several of these with commas between.
    pub(super) fn list(text: &str) -> Result<Vec<Self>, UrlError> {
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError::new(format!("the host or its port cannot be read; {ENCODE}"));
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
                let address: Ipv6Addr = address.parse().map_err(|_| UrlError::new("in [ ] must be an IPv6 address"))?;
                (
                    address.to_string(),
                    if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(wrong)?) },
                )
            }
            None => match text.split_once(':') {
                Some((name, port)) => (decode(name)?, Some(port)),
                None => (decode(text)?, None),
            },
        };
        let port = match port {
            None | Some("") => None,
            Some(port) => Some(Self::port(port).ok_or_else(wrong)?),
        };
        Self::named(name, port)
    }

    /// A host by its name, its address without brackets, or the folder of its Unix socket.
    pub(super) fn named(name: String, port: Option<u16>) -> Result<Self, UrlError> {
        let host = Self { name, port };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let usable = host.is_socket()
            || host.name.parse::<Ipv6Addr>().is_ok()
            || (!host.name.is_empty() && host.name.chars().all(is_name));
        if usable { Ok(host) } else { Err(UrlError::new(format!("a host is empty or no host name; {ENCODE}"))) }
    }

    pub(super) fn port(text: &str) -> Option<u16> {
        text.parse().ok().filter(|port| *port != 0)
    }

    pub(in super::super) fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else if self.is_socket() {
            write!(f, "{}", encoded(&self.name))?;
        } else {
            f.write_str(&self.name)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Writes a server's URL without its password and its options.
pub(super) fn show(
    f: &mut fmt::Formatter<'_>,
    scheme: &str,
    user: Option<&str>,
    has_password: bool,
    hosts: &[Host],
    database: &str,
) -> fmt::Result {
    write!(f, "{scheme}://")?;
    if let Some(user) = user {
        write!(f, "{}{}@", encoded(user), if has_password { ":***" } else { "" })?;
    }
    for (nth, host) in hosts.iter().enumerate() {
        write!(f, "{}{host}", if nth > 0 { "," } else { "" })?;
    }
    write!(f, "/{}", encoded(database))
}

fn encoded(text: &str) -> impl fmt::Display {
    const KEPT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(text, KEPT)
}
