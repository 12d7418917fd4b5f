//! Requests to the auth server: one connection, one request at a time, with limits on time and size. It follows no redirects, which
//! would send the follower's token elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::BoxError;
use auth_feed::client::age;
use http::header::{AGE, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::FollowError;
use crate::server_url::ServerUrl;

const AGENT: &str = concat!("auth-follower/", env!("CARGO_PKG_VERSION"));

/// Media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// Time after which an idle connection is not used again: a router on the way may have forgotten it, and would not answer.
const MAX_IDLE: Duration = Duration::from_secs(10);

/// Settings of TLS, which all connections share.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts these root certificates, in PEM, or those of Mozilla.
    pub(crate) fn new(roots: Option<&[u8]>) -> Result<Self, FollowError> {
        let mut store = RootCertStore::empty();
        match roots {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|_| FollowError::Certificates)?;
                    store.add(certificate).map_err(|_| FollowError::Certificates)?;
                }
            }
            None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        if store.is_empty() {
            return Err(FollowError::Certificates);
        }
        Ok(Self(Arc::new(ClientConfig::builder().with_root_certificates(store).with_no_client_auth())))
    }
}

/// Connection to the auth server, opened when it is needed.
pub(crate) struct HttpClient {
    url: ServerUrl,
    tls: Tls,
    connection: Mutex<Option<Kept>>,
}

/// Connection whose last answer is whole.
struct Kept {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The form of a `POST`. Without one it is a `GET`.
    pub(crate) form: Option<String>,
    /// Time until the whole answer has to be there.
    pub(crate) within: Duration,
    /// Largest body that is read, in bytes.
    pub(crate) max_bytes: usize,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Returns the value of a header that is there once, as text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the age that a cache on the way says.
    pub(crate) fn age(&self) -> Duration {
        age(self.headers.get_all(AGE).iter().map(HeaderValue::as_bytes))
    }
}

/// Error of an answer that did not come.
#[derive(Debug, thiserror::Error)]
#[error("the auth server did not answer within {0:?}")]
struct TimedOut(Duration);

impl HttpClient {
    pub(crate) fn new(url: ServerUrl, tls: Tls) -> Self {
        Self { url, tls, connection: Mutex::default() }
    }

    /// Asks, and reads the whole answer, whatever its status. A connection that was idle and turns out to be closed is replaced
    /// once.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Reply, BoxError> {
        let mut kept = self.connection.lock().await;
        // A connection that is not put back is closed: after an error, and if this future is dropped.
        let idle = kept.take().filter(|kept| kept.since.elapsed() < MAX_IDLE).map(|kept| kept.sender);
        let exchange = async {
            if let Some(mut sender) = idle
                && sender.ready().await.is_ok()
                && let Ok(reply) = self.exchange(&mut sender, &ask).await
            {
                return Ok((reply, sender));
            }
            let mut sender = self.connect().await?;
            let reply = self.exchange(&mut sender, &ask).await?;
            Ok::<_, BoxError>((reply, sender))
        };
        let (reply, sender) = tokio::time::timeout(ask.within, exchange).await.map_err(|_| TimedOut(ask.within))??;
        *kept = Some(Kept { sender, since: Instant::now() });
        Ok(reply)
    }

    async fn exchange(&self, sender: &mut SendRequest<Full<Bytes>>, ask: &Ask<'_>) -> Result<Reply, BoxError> {
        let method = if ask.form.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder().method(method).uri(format!("{}{}", self.url.base, ask.path));
        request = request.header(HOST, self.url.host_header()).header(USER_AGENT, AGENT);
        if ask.form.is_some() {
            request = request.header(CONTENT_TYPE, FORM);
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let body = Bytes::from(ask.form.clone().unwrap_or_default());
        let (head, body) = sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        let body = Limited::new(body, ask.max_bytes).collect().await?.to_bytes();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, BoxError> {
        let stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await?;
        stream.set_nodelay(true)?;
        if !self.url.tls {
            return open(stream).await;
        }
        let name = ServerName::try_from(self.url.host.clone())?;
        open(TlsConnector::from(Arc::clone(&self.tls.0)).connect(name, stream).await?).await
    }
}

/// Begins HTTP/1.1 on a connection. The task ends with the connection, which ends with its sender.
async fn open<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection to the auth server ended");
        }
    });
    Ok(sender)
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
