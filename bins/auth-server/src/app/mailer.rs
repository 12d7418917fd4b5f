//! The mailer that the configuration asks for.

use std::sync::Arc;

use auth_mail::{Deliver, FileMailer, LogMailer, MailUrl, SmtpMailer};

use super::error::AppError;
use crate::config::{MAIL, MailSettings};

/// Builds the mailer.
///
/// # Errors
///
/// Its folder cannot be made, or the certificates of its URL cannot be read.
pub(crate) fn mailer(settings: &MailSettings) -> Result<Arc<dyn Deliver>, AppError> {
    let composer = settings.composer.clone();
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| AppError::Mailer(MAIL.variable, error);
    Ok(match &settings.url {
        MailUrl::Smtp(url) => Arc::new(SmtpMailer::new(url.clone(), composer).map_err(|error| unusable(error.into()))?),
        MailUrl::File(folder) => {
            let folder = folder.as_ref().unwrap_or(&settings.folder);
            Arc::new(FileMailer::new(folder, composer).map_err(|error| unusable(error.into()))?)
        }
        MailUrl::Log => Arc::new(LogMailer::new(&settings.folder, composer).map_err(|error| unusable(error.into()))?),
        _ => return Err(unusable("this kind of mailer is not known".into())),
    })
}
