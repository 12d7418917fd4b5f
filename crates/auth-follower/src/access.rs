//! The follower's own token for the feed: the grant of RFC 6749 §4.4, renewed in time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{BoxError, Clock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::http::{Ask, HttpClient};

const PATH: &str = "/oauth/token";
const FORM: &str = "grant_type=client_credentials&scope=revocations";
const WITHIN: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 64 * 1024;

/// Error of a client that gets no token.
#[derive(Debug, thiserror::Error)]
enum NoToken {
    #[error("the auth server refused the client: check its id and secret, and that it is not disabled or expired")]
    Client,
    #[error("the auth server refused the scope: the client needs `revocations`")]
    Scope,
    #[error("the auth server answered a request for a token with status {0}")]
    Status(u16),
}

/// Gets tokens for a client.
pub(crate) struct ClientAccess {
    http: Arc<HttpClient>,
    clock: Arc<dyn Clock>,
    /// The id and the secret, as the header sends them.
    credentials: HeaderValue,
    token: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    /// Monotonic time from which on a new one is asked for.
    renew_at: Duration,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u32,
}

impl ClientAccess {
    pub(crate) fn new(http: Arc<HttpClient>, clock: Arc<dyn Clock>, id: &str, secret: &str) -> Self {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = Zeroizing::new(format!("{}:{}", encoded(id), Zeroizing::new(encoded(secret)).as_str()));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        // Base64 is always a value of a header.
        let mut credentials = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        credentials.set_sensitive(true);
        Self { http, clock, credentials, token: Mutex::default() }
    }

    /// Returns the value of the `Authorization` header, with a token that is good for a while.
    pub(crate) async fn bearer(&self) -> Result<HeaderValue, BoxError> {
        let mut held = self.token.lock().await;
        let now = self.clock.monotonic();
        if let Some(token) = held.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.header.clone());
        }
        let reply = self
            .http
            .ask(Ask {
                path: PATH,
                headers: vec![(AUTHORIZATION, self.credentials.clone())],
                form: Some(FORM.to_owned()),
                within: WITHIN,
                max_bytes: MAX_BYTES,
            })
            .await?;
        match reply.status {
            200 => {}
            401 => return Err(NoToken::Client.into()),
            400 | 403 => return Err(NoToken::Scope.into()),
            status => return Err(NoToken::Status(status).into()),
        }
        let Granted { access_token, expires_in } = serde_json::from_slice(&reply.body)?;
        let access_token = Zeroizing::new(access_token);
        let mut header = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", access_token.as_str())))?;
        header.set_sensitive(true);
        // A token with a fifth of its life left is renewed, so that one failure does no harm.
        let renew_at = now + Duration::from_secs(expires_in.into()) * 4 / 5;
        *held = Some(Token { header: header.clone(), renew_at });
        Ok(header)
    }

    /// Forgets the token, because the feed refused it.
    pub(crate) async fn forget(&self) {
        *self.token.lock().await = None;
    }
}

impl fmt::Debug for ClientAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAccess").finish_non_exhaustive()
    }
}
