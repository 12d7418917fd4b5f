//! Where letters go, as one text.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::smtp::{SmtpUrl, SmtpUrlError};

/// Where letters go: `smtp://…` or `smtps://…`, `file` or `file:FOLDER`, or `log`.
///
/// ```
/// use auth_mail::MailUrl;
///
/// assert!(matches!(MailUrl::parse("smtps://smtp.example.org")?, MailUrl::Smtp(_)));
/// assert_eq!(MailUrl::parse("file:/tmp/letters")?, MailUrl::File(Some("/tmp/letters".into())));
/// assert_eq!(MailUrl::parse("log")?, MailUrl::Log);
/// # Ok::<(), auth_mail::MailUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailUrl {
    /// To an SMTP server, by [`SmtpMailer`](crate::SmtpMailer).
    Smtp(SmtpUrl),
    /// To a folder, by [`FileMailer`](crate::FileMailer). Without a folder the program chooses one.
    File(Option<PathBuf>),
    /// To the log, by [`LogMailer`](crate::LogMailer).
    Log,
}

/// Reason that a text does not say where letters go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailUrlError {
    /// The text begins like none of the known forms.
    #[error("must be smtp://…, smtps://…, file, file:FOLDER or log")]
    Form,
    /// The URL of the SMTP server is wrong.
    #[error(transparent)]
    Smtp(#[from] SmtpUrlError),
}

impl MailUrl {
    /// Parses where letters go.
    ///
    /// # Errors
    ///
    /// When the text has none of the known forms, or the URL of the SMTP server is wrong. The error never shows a password.
    pub fn parse(text: &str) -> Result<Self, MailUrlError> {
        let text = text.trim();
        if let Some(folder) = text.strip_prefix("file:") {
            // `file:///folder` has an empty authority (RFC 8089 §2).
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            return if folder.is_empty() { Err(MailUrlError::Form) } else { Ok(Self::File(Some(folder.into()))) };
        }
        match text.split_once(':') {
            None if text == "file" => Ok(Self::File(None)),
            None if text == "log" => Ok(Self::Log),
            Some((scheme, _)) if matches!(&*scheme.to_ascii_lowercase(), "smtp" | "smtps") => {
                Ok(Self::Smtp(SmtpUrl::parse(text)?))
            }
            _ => Err(MailUrlError::Form),
        }
    }
}

impl FromStr for MailUrl {
    type Err = MailUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Shows no password.
impl fmt::Display for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(url) => url.fmt(f),
            Self::File(Some(folder)) => write!(f, "file:{}", folder.display()),
            Self::File(None) => f.write_str("file"),
            Self::Log => f.write_str("log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_where_letters_go() {
        for (text, shown) in [
            ("log", "log"),
            (" file ", "file"),
            ("file:letters", "file:letters"),
            ("file:///var/letters", "file:/var/letters"),
            ("SMTPS://a:b@mail.example", "smtps://a@mail.example:465"),
        ] {
            assert_eq!(MailUrl::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "logs", "file:", "file://", "http://mail.example", "mail.example:25", "smtp"] {
            assert_eq!(MailUrl::parse(text), Err(MailUrlError::Form), "{text:?}");
        }
        assert_eq!(MailUrl::parse("smtp://mail.example?tls=no"), Err(SmtpUrlError::Tls.into()));
    }
}
