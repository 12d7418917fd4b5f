//! Connections to an SMTP server that are used again.
//!
//! The pool of lettre is not used. It also keeps a connection whose send was cancelled, for example by a time limit, and the next letter
//! takes the late reply to that send for the reply to a command of its own. Here a connection comes back after a whole send only.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, Extension};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::error::{SmtpError, SmtpFailure, SmtpSetupError};
use super::url::{SmtpTls, SmtpUrl};

/// A connection that was not used for longer is closed. Servers close them after minutes (RFC 5321 §4.5.3.2.7).
const MAX_IDLE: Duration = Duration::from_secs(20);

/// Letters over one connection. Some servers refuse more.
const MAX_LETTERS: u32 = 100;

/// Time limit of `QUIT` (RFC 5321 §4.1.1.10).
const QUIT_LIMIT: Duration = Duration::from_secs(1);

/// Connections to one server. A send takes one that is idle, or makes a new one.
pub(super) struct Pool {
    server: Server,
    /// Bounds the connections in use, and with it those that are idle.
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    smtp: AsyncSmtpConnection,
    letters: u32,
    idle_since: Instant,
}

impl Pool {
    pub(super) fn new(server: Server, max_connections: usize) -> Self {
        Self { server, permits: Semaphore::new(max_connections), idle: Mutex::default() }
    }

    /// Sends a message. It may be cancelled at any time; its connection is closed then.
    pub(super) async fn send(&self, envelope: &Envelope, message: &[u8]) -> Result<(), SmtpError> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let mut connection = self.connection().await.map_err(|error| SmtpError::Connect(SmtpFailure(error)))?;
        let takes_utf8 = connection.smtp.server_info().supports_feature(Extension::SmtpUtfEight);
        let outcome = if takes_utf8 || envelope.to().iter().all(|to| to.user().is_ascii()) {
            // After an error lettre has closed the connection.
            connection.smtp.send(envelope, message).await.map_err(|error| SmtpError::Send(SmtpFailure(error))).map(drop)
        } else {
            Err(SmtpError::NoSmtpUtf8)
        };
        if !connection.smtp.has_broken() {
            self.keep(Connection { letters: connection.letters + 1, idle_since: Instant::now(), ..connection });
        }
        outcome
    }

    async fn connection(&self) -> Result<Connection, smtp::Error> {
        while let Some(mut connection) = self.take() {
            let is_worn = connection.letters >= MAX_LETTERS || connection.idle_since.elapsed() > MAX_IDLE;
            if !is_worn && connection.smtp.test_connected().await {
                return Ok(connection);
            }
            // A server that does not answer has lost nothing.
            let _ = timeout(QUIT_LIMIT, connection.smtp.abort()).await;
        }
        Ok(Connection { smtp: self.server.connect().await?, letters: 0, idle_since: Instant::now() })
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// How to connect to a server.
pub(super) struct Server {
    url: SmtpUrl,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
}

impl Server {
    /// Reads the certificates that the URL names. `hello` is the name for `EHLO`, unless the URL has one.
    pub(super) fn new(url: SmtpUrl, hello: &str) -> Result<Self, SmtpSetupError> {
        let tls = if url.tls() == SmtpTls::None { None } else { Some(tls_parameters(&url)?) };
        let credentials =
            url.credentials().map(|user| Credentials::new(user.name.clone(), user.password.as_str().to_owned()));
        let hello = ClientId::Domain(url.hello().unwrap_or(hello).to_owned());
        Ok(Self { url, tls, credentials, hello })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let address = (self.url.host(), self.url.port());
        let implicit = self.tls.clone().filter(|_| self.url.tls() == SmtpTls::Implicit);
        let mut smtp = AsyncSmtpConnection::connect_tokio1(address, None, &self.hello, implicit, None).await?;
        if let Some(tls) = &self.tls {
            let wants_starttls = match self.url.tls() {
                SmtpTls::Required => true,
                SmtpTls::Opportunistic => smtp.can_starttls(),
                SmtpTls::Implicit | SmtpTls::None => false,
            };
            if wants_starttls {
                smtp.starttls(tls.clone(), &self.hello).await?;
            }
        }
        if let Some(credentials) = &self.credentials {
            smtp.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(smtp)
    }
}

fn tls_parameters(url: &SmtpUrl) -> Result<TlsParameters, SmtpSetupError> {
    let mut builder = TlsParameters::builder(url.host().to_owned());
    if let Some(file) = url.ca() {
        let pem = std::fs::read(file).map_err(|error| SmtpSetupError::ReadCa(file.to_owned(), error))?;
        let has_certificate = pem.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE);
        let certificate = Certificate::from_pem(&pem).ok().filter(|_| has_certificate);
        let certificate = certificate.ok_or_else(|| SmtpSetupError::Ca(file.to_owned()))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(|error| SmtpSetupError::Tls(SmtpFailure(error)))
}

/// Beginning of a certificate in PEM (RFC 7468 §5.1).
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
