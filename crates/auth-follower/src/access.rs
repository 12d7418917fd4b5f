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
const WITHIN: Duration = Duration::from_secs(2);

/// Time between two tries to renew a token that is still good.
const RETRY: Duration = Duration::from_secs(5);

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
    /// Monotonic time from which on it is not used any more.
    expires_at: Duration,
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
        match self.grant(now).await {
            Ok(token) => Ok(held.insert(token).header.clone()),
            Err(error) => {
                let token = held.as_mut().filter(|token| now < token.expires_at).ok_or(error)?;
                token.renew_at = now + RETRY;
                Ok(token.header.clone())
            }
        }
    }

    /// Asks for a token. `now` is before the request.
    async fn grant(&self, now: Duration) -> Result<Token, BoxError> {
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
        let life = Duration::from_secs(expires_in.into());
        // A token with a fifth of its life left is renewed, so that failures until its end do no harm.
        Ok(Token { header, renew_at: now + life * 4 / 5, expires_at: now + life })
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

#[cfg(test)]
mod tests {
    use auth_core::ManualClock;
    use time::OffsetDateTime;

    use super::*;
    use crate::http::tests::client;

    const GRANTED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"access_token\":\"one\",\"expires_in\":10}";
    const RENEWED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"access_token\":\"two\",\"expires_in\":10}";
    const FAILED: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn a_renewal_that_fails_leaves_the_token_until_it_expires() {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH));
        let http = Arc::new(client(&[GRANTED, FAILED, FAILED, RENEWED]).await);
        let access = ClientAccess::new(http, clock.clone(), "rac_x", "ras_y");
        let after = async |seconds| {
            clock.advance(Duration::from_secs(seconds));
            access.bearer().await.ok().and_then(|header| header.to_str().ok().map(str::to_owned))
        };
        let one = || Some("Bearer one".to_owned());
        assert_eq!((after(0).await, after(7).await), (one(), one()), "one request");
        assert_eq!((after(1).await, after(1).await), (one(), one()), "one request, which failed");
        assert_eq!(after(5).await, None, "it has expired");
        assert_eq!(after(0).await, Some("Bearer two".to_owned()));
    }
}
