//! The mailer for SMTP.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::letters::{Letter, Mailer, SendError};
use tokio::time::timeout;

use super::error::{SmtpError, SmtpSetupError};
use super::pool::{Pool, Server};
use super::url::SmtpUrl;
use crate::composed_letter::{AddressRefused, ComposedLetter};
use crate::composer::Composer;
use crate::deliver::Deliver;

/// Default of [`SmtpMailer::with_time_limit`]. A lease of an outbox must be longer.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(30);

/// Default of [`SmtpMailer::with_max_connections`].
pub const DEFAULT_MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Mailer that hands letters to an SMTP server, the *relay*. Clones share the connections.
///
/// - One time limit holds for a whole send: name resolution, connection, TLS, authentication and all commands.
/// - Connections are used again, and their number is bounded. A send waits while all are in use, within its time limit.
/// - A reply 5xx to a letter is [`SendError::Permanent`]. Everything else is [`SendError::Temporary`]: a reply 4xx, a lost connection, the
///   time limit, whatever goes wrong before the letter is offered (connection, certificate, password), and the replies 530, 534,
///   535 and 538, which refuse the client and not the letter.
/// - The source of an error is an [`SmtpError`], or a [`ComposeError`](crate::ComposeError) for a letter that cannot be put into words.
///
/// It needs a runtime of tokio.
#[derive(Clone)]
pub struct SmtpMailer {
    composer: Composer,
    pool: Arc<Pool>,
    time_limit: Duration,
    shown: String,
}

impl SmtpMailer {
    /// Returns a mailer for this server. It does not connect before the first letter.
    ///
    /// # Errors
    ///
    /// When the certificates that the URL names cannot be read, or TLS cannot be set up.
    pub fn new(url: SmtpUrl, composer: Composer) -> Result<Self, SmtpSetupError> {
        Self::with_max_connections(url, composer, DEFAULT_MAX_CONNECTIONS)
    }

    /// Returns a mailer for this server that makes at most this number of connections. Make it at least the number of letters that the
    /// worker sends at once.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_max_connections(
        url: SmtpUrl,
        composer: Composer,
        max_connections: NonZeroUsize,
    ) -> Result<Self, SmtpSetupError> {
        let shown = url.to_string();
        let server = Server::new(url, composer.sender().domain())?;
        let pool = Arc::new(Pool::new(server, max_connections.get()));
        Ok(Self { composer, pool, time_limit: DEFAULT_TIME_LIMIT, shown })
    }

    /// Sets the time limit of a whole send.
    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let letter = self.composer.compose(letter).map_err(|error| SendError::Permanent(error.into()))?;
        self.deliver(&letter).await
    }
}

#[async_trait]
impl Deliver for SmtpMailer {
    async fn deliver(&self, letter: &ComposedLetter) -> Result<(), SendError> {
        let refused = |error: AddressRefused| SendError::Permanent(error.into());
        let (envelope, message) = (letter.envelope().map_err(refused)?, letter.to_message().map_err(refused)?);
        let sent = timeout(self.time_limit, self.pool.send(&envelope, &message)).await;
        Ok(sent.unwrap_or(Err(SmtpError::TimeLimit(self.time_limit)))?)
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer")
            .field("url", &self.shown)
            .field("time_limit", &self.time_limit)
            .field("composer", &self.composer)
            .finish_non_exhaustive()
    }
}
