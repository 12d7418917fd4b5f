//! Why a letter could not be sent by SMTP.

use std::path::PathBuf;
use std::time::Duration;

use auth_core::letters::SendError;
use lettre::transport::smtp;

/// Why a letter could not be sent by SMTP. It is the source of a [`SendError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// The time limit of a send has passed. The letter may have been sent.
    #[error("the server took longer than {} s", .0.as_secs_f64())]
    TimeLimit(Duration),
    /// No connection could be made: the server cannot be reached, its certificate is not trusted, or it refused the user.
    #[error("no connection to the server")]
    Connect(#[source] SmtpFailure),
    /// The server refused the letter, or the connection was lost.
    #[error("the letter was not accepted")]
    Send(#[source] SmtpFailure),
    /// The address of the recipient needs SMTPUTF8 (RFC 6531), which the server does not offer.
    #[error("the server takes no address with characters besides ASCII before the @ (it does not offer SMTPUTF8)")]
    NoSmtpUtf8,
}

/// Failure of a connection or of a server, with the reply of the server if there was one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SmtpFailure(pub(super) smtp::Error);

/// Why a mailer for SMTP cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpSetupError {
    /// The file of the parameter `ca` cannot be read.
    #[error("the file {} (parameter ca) cannot be read", .0.display())]
    ReadCa(PathBuf, #[source] std::io::Error),
    /// The file of the parameter `ca` has no certificate in PEM.
    #[error("the file {} (parameter ca) has no certificate in PEM", .0.display())]
    Ca(PathBuf),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] SmtpFailure),
}

/// Replies that refuse the client and not the letter: authentication is needed, too weak, refused, or needs encryption
/// (RFC 4954 §6, RFC 3207 §4). An operator can change what causes them.
const REFUSES_CLIENT: [u16; 4] = [530, 534, 535, 538];

impl SmtpError {
    /// Returns whether no later attempt will succeed.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Send(SmtpFailure(error)) => {
                error.is_permanent() && !error.status().is_some_and(|code| REFUSES_CLIENT.contains(&code.into()))
            }
            Self::NoSmtpUtf8 => true,
            Self::TimeLimit(_) | Self::Connect(_) => false,
        }
    }
}

impl From<SmtpError> for SendError {
    fn from(error: SmtpError) -> Self {
        if error.is_permanent() { Self::Permanent(error.into()) } else { Self::Temporary(error.into()) }
    }
}
