//! The URL of an SMTP server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

/// Port of submission (RFC 6409).
const SUBMISSION_PORT: u16 = 587;
/// Port of submission over implicit TLS (RFC 8314 §3.3).
const SUBMISSIONS_PORT: u16 = 465;

/// How a connection to an SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmtpTls {
    /// TLS from the first byte (RFC 8314 §3.3): `smtps://`.
    Implicit,
    /// `STARTTLS`, without which nothing is sent (RFC 3207): `smtp://`.
    Required,
    /// `STARTTLS` if the server offers it: `?tls=opportunistic`. Somebody on the way can remove the offer.
    Opportunistic,
    /// No encryption: `?tls=none`.
    None,
}

/// Address of an SMTP server, with what is needed to speak to it.
///
/// Invariants: without certain encryption there is no password, unless the server is this machine.
///
/// ```text
/// smtp://USER:PASSWORD@HOST:PORT?PARAMETERS     STARTTLS; port 587 unless given
/// smtps://USER:PASSWORD@HOST:PORT?PARAMETERS    implicit TLS; port 465 unless given
/// ```
///
/// | parameter | meaning |
/// |---|---|
/// | `tls` | of `smtp://`: `required` (default), `opportunistic`, `none` |
/// | `ca` | file with certificates in PEM. They alone are trusted, instead of those that browsers trust |
/// | `hello` | name that is told to the server by `EHLO`. Default: the domain of the sender |
///
/// Other parameters are errors. User and password are percent-encoded. Neither `Debug` nor `Display` nor an error shows the password.
///
/// ```
/// use auth_mail::SmtpUrl;
///
/// let url = SmtpUrl::parse("smtp://mailer:p%40ss@smtp.example.org")?;
/// assert_eq!((url.host(), url.port()), ("smtp.example.org", 587));
/// assert_eq!(url.to_string(), "smtp://mailer@smtp.example.org:587");
/// # Ok::<(), auth_mail::SmtpUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    host: String,
    port: u16,
    tls: SmtpTls,
    user: Option<SmtpUser>,
    ca: Option<PathBuf>,
    hello: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct SmtpUser {
    pub(super) name: String,
    pub(super) password: Zeroizing<String>,
}

/// Reason that a text is not the URL of an SMTP server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpUrlError {
    /// The text is no URL with the scheme `smtp` or `smtps` and a host.
    #[error("is no URL of the form smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT")]
    Form,
    /// There is a user without a password, or a password without a user.
    #[error("must have a user and a password, or neither")]
    Credentials,
    /// User or password are not UTF-8 after decoding, or have control characters.
    #[error("has a user or a password that is not percent-encoded text")]
    Encoding,
    /// The URL has a path or a fragment. A `/`, `?` or `#` of the password may have begun it.
    #[error("must have neither a path nor a fragment (in a password, / ? # and @ are written %2F %3F %23 and %40)")]
    Extra,
    /// A parameter is not known.
    #[error("has the unknown parameter {0:?} (known: tls, ca, hello)")]
    UnknownParameter(String),
    /// A parameter is there twice.
    #[error("has the parameter {0:?} twice")]
    RepeatedParameter(&'static str),
    /// The parameter `tls` has another value.
    #[error("must have tls=required, tls=opportunistic or tls=none, and for smtps:// no tls")]
    Tls,
    /// The parameter `ca` names no file, or there is nothing to use it for.
    #[error("must name a file by ca, and have no ca with tls=none")]
    Ca,
    /// The parameter `hello` is no name of a host.
    #[error("must have the name of a host as hello")]
    Hello,
    /// A password would be sent without certain encryption.
    #[error(
        "must have no user with tls=none or tls=opportunistic, unless the host is localhost: others could read the password"
    )]
    PlainPassword,
}

impl SmtpUrl {
    /// Parses the URL of an SMTP server.
    ///
    /// # Errors
    ///
    /// When the text has another form, an unknown parameter, or would send a password without certain encryption.
    pub fn parse(text: &str) -> Result<Self, SmtpUrlError> {
        let url = Url::parse(text.trim()).map_err(|_| SmtpUrlError::Form)?;
        let implicit = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(SmtpUrlError::Form),
        };
        let host = host_of(&url).ok_or(SmtpUrlError::Form)?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(SmtpUrlError::Extra);
        }
        let parameters = Parameters::of(&url)?;
        let tls = match (implicit, parameters.tls.as_deref()) {
            (true, None) => SmtpTls::Implicit,
            (false, None | Some("required")) => SmtpTls::Required,
            (false, Some("opportunistic")) => SmtpTls::Opportunistic,
            (false, Some("none")) => SmtpTls::None,
            _ => return Err(SmtpUrlError::Tls),
        };
        if parameters.ca.as_deref().is_some_and(|ca| ca.is_empty() || tls == SmtpTls::None) {
            return Err(SmtpUrlError::Ca);
        }
        if parameters.hello.as_deref().is_some_and(|hello| !is_host_name(hello)) {
            return Err(SmtpUrlError::Hello);
        }
        let user = SmtpUser::of(&url)?;
        if user.is_some() && matches!(tls, SmtpTls::None | SmtpTls::Opportunistic) && !is_loopback(&host) {
            return Err(SmtpUrlError::PlainPassword);
        }
        let default_port = if implicit { SUBMISSIONS_PORT } else { SUBMISSION_PORT };
        let port = url.port().unwrap_or(default_port);
        let Parameters { ca, hello, .. } = parameters;
        Ok(Self { host, port, tls, user, ca: ca.map(PathBuf::from), hello })
    }

    /// Returns the host: a name in ASCII or an IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns how the connection is encrypted.
    #[must_use]
    pub fn tls(&self) -> SmtpTls {
        self.tls
    }

    /// Returns the name of the user, if the server wants one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.name.as_str())
    }

    /// Returns the file with the certificates that are trusted, if one was named.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    pub(super) fn credentials(&self) -> Option<&SmtpUser> {
        self.user.as_ref()
    }

    pub(super) fn hello(&self) -> Option<&str> {
        self.hello.as_deref()
    }
}

/// Returns the host without the brackets around an IPv6 address.
fn host_of(url: &Url) -> Option<String> {
    // The host of a scheme that the crate `url` does not know is neither lower-cased nor recognised as an address by it.
    match Host::parse(url.host_str().filter(|host| !host.is_empty())?).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl SmtpUser {
    fn of(url: &Url) -> Result<Option<Self>, SmtpUrlError> {
        let (name, password) = match (url.username(), url.password().filter(|password| !password.is_empty())) {
            ("", None) if url.password().is_none() => return Ok(None),
            ("", _) | (_, None) => return Err(SmtpUrlError::Credentials),
            (name, Some(password)) => (name, password),
        };
        Ok(Some(Self { name: decoded(name)?, password: Zeroizing::new(decoded(password)?) }))
    }
}

fn decoded(text: &str) -> Result<String, SmtpUrlError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| SmtpUrlError::Encoding)?;
    if text.chars().any(char::is_control) {
        return Err(SmtpUrlError::Encoding);
    }
    Ok(text.into_owned())
}

#[derive(Default)]
struct Parameters {
    tls: Option<String>,
    ca: Option<String>,
    hello: Option<String>,
}

impl Parameters {
    fn of(url: &Url) -> Result<Self, SmtpUrlError> {
        let mut parameters = Self::default();
        for (name, value) in url.query_pairs() {
            let (known, place) = match &*name {
                "tls" => ("tls", &mut parameters.tls),
                "ca" => ("ca", &mut parameters.ca),
                "hello" => ("hello", &mut parameters.hello),
                _ => return Err(SmtpUrlError::UnknownParameter(name.into_owned())),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(SmtpUrlError::RepeatedParameter(known));
            }
        }
        Ok(parameters)
    }
}

impl FromStr for SmtpUrl {
    type Err = SmtpUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Shows scheme, user, host and port.
impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls == SmtpTls::Implicit { "smtps://" } else { "smtp://" })?;
        if let Some(user) = &self.user {
            write!(f, "{}@", user.name)?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpUrl({self}, {:?})", self.tls)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_names_server_encryption_and_user() {
        for (text, shown, tls) in [
            ("smtp://mail.example", "smtp://mail.example:587", SmtpTls::Required),
            ("smtp://Mail.Example:25/", "smtp://mail.example:25", SmtpTls::Required),
            ("SMTPS://mail.example", "smtps://mail.example:465", SmtpTls::Implicit),
            ("smtps://a%40b:c@bücher.example", "smtps://a@b@xn--bcher-kva.example:465", SmtpTls::Implicit),
            ("smtp://mail.example?tls=required", "smtp://mail.example:587", SmtpTls::Required),
            ("smtp://mail.example?tls=opportunistic", "smtp://mail.example:587", SmtpTls::Opportunistic),
            ("smtp://mail.example:25?tls=none", "smtp://mail.example:25", SmtpTls::None),
            ("smtp://a:b@localhost?tls=none", "smtp://a@localhost:587", SmtpTls::None),
            ("smtp://a:b@[::1]:25?tls=opportunistic", "smtp://a@[::1]:25", SmtpTls::Opportunistic),
            ("smtp://127.0.0.1:1025", "smtp://127.0.0.1:1025", SmtpTls::Required),
        ] {
            let url = SmtpUrl::parse(text).unwrap();
            assert_eq!((url.to_string(), url.tls()), (shown.to_owned(), tls), "{text}");
        }
        let url = SmtpUrl::parse("smtp://u:p%20%C3%A4%2F@[2001:db8::1]?ca=/etc/ca%20x.pem&hello=a-1.example").unwrap();
        assert_eq!((url.host(), url.user(), url.hello()), ("2001:db8::1", Some("u"), Some("a-1.example")));
        assert_eq!(url.ca(), Some(Path::new("/etc/ca x.pem")));
        assert_eq!(*url.credentials().unwrap().password, "p ä/");
    }

    #[test]
    fn another_text_is_refused_with_its_reason() {
        use SmtpUrlError as Error;
        for (text, error) in [
            ("", Error::Form),
            ("mail.example", Error::Form),
            ("smtp:mail.example", Error::Form),
            ("smtp://", Error::Form),
            ("http://mail.example", Error::Form),
            ("smtp://mail.example:99999", Error::Form),
            ("smtp://a b.example", Error::Form),
            ("smtp://user@mail.example", Error::Credentials),
            ("smtp://user:@mail.example", Error::Credentials),
            ("smtp://:password@mail.example", Error::Credentials),
            ("smtp://user:a%FF@mail.example", Error::Encoding),
            ("smtp://user:a%0D%0AQUIT@mail.example", Error::Encoding),
            ("smtp://mail.example/path", Error::Extra),
            ("smtp://mail.example#part", Error::Extra),
            ("smtp://mail.example?timeout=3", Error::UnknownParameter("timeout".to_owned())),
            ("smtp://mail.example?tls=none&tls=required", Error::RepeatedParameter("tls")),
            ("smtp://mail.example?tls=yes", Error::Tls),
            ("smtp://mail.example?tls", Error::Tls),
            ("smtps://mail.example?tls=none", Error::Tls),
            ("smtp://mail.example?ca=", Error::Ca),
            ("smtp://localhost?tls=none&ca=/a", Error::Ca),
            ("smtp://mail.example?hello=", Error::Hello),
            ("smtp://mail.example?hello=a%0D%0Ab", Error::Hello),
            ("smtp://a:b@mail.example?tls=none", Error::PlainPassword),
            ("smtp://a:b@mail.example?tls=opportunistic", Error::PlainPassword),
            ("smtp://a:b@localhost.example?tls=none", Error::PlainPassword),
        ] {
            assert_eq!(SmtpUrl::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn no_error_and_no_form_shows_the_password() {
        for text in [
            "smtp://user:s3cret@mail.example",
            "smtp://user:s3cret@mail.example?tls=none",
            "smtp://user:s3cret@mail.example?x=1",
            "smtp://user:s3cret/x@mail.example",
            "smtp://user:s3cret#x@mail.example",
            "smtp://user:s3cret?x@mail.example",
            "smtp://user:s3cret%FF@mail.example",
            "smtp://:s3cret@mail.example",
            "smtp://user:s3cret@",
            "smtp:user:s3cret@mail.example",
        ] {
            let shown = match SmtpUrl::parse(text) {
                Ok(url) => format!("{url} {url:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("s3cret"), "{text}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(smtps?://)?[ -~ä\r\n]{0,40}") {
            let _ = SmtpUrl::parse(&text);
        }
    }
}
