//! Letters over SMTP.

mod error;
mod mailer;
mod pool;
mod url;

pub use self::error::{SmtpError, SmtpFailure, SmtpSetupError};
pub use self::mailer::{DEFAULT_MAX_CONNECTIONS, DEFAULT_TIME_LIMIT, SmtpMailer};
pub use self::url::{SmtpTls, SmtpUrl, SmtpUrlError};
