#![doc = include_str!("../README.md")]

mod composed_letter;
mod composer;
mod deliver;
mod file_mailer;
mod letter_folder;
mod link_base;
mod log_mailer;
mod mail_url;
mod message;
mod product_name;
mod sender;
mod smtp;
mod templates;

pub use composed_letter::{AddressRefused, ComposedLetter};
pub use composer::{ComposeError, Composer};
pub use deliver::Deliver;
pub use file_mailer::FileMailer;
pub use link_base::{LinkBase, LinkBaseError};
pub use log_mailer::LogMailer;
pub use mail_url::{MailUrl, MailUrlError};
pub use product_name::{MAX_PRODUCT_NAME_CHARS, ProductName, ProductNameError};
pub use sender::{MAX_SENDER_NAME_CHARS, Sender, SenderError};
pub use smtp::{
    DEFAULT_MAX_CONNECTIONS, DEFAULT_TIME_LIMIT, SmtpError, SmtpFailure, SmtpMailer, SmtpSetupError, SmtpTls, SmtpUrl,
    SmtpUrlError,
};
pub use templates::{TemplateError, Templates};
