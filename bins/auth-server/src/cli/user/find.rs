//! `auth-server user find`: the search for a user.

use std::io::Write;

use auth_core::{AccountError, AuthService, BoxError, Email, User, Username};
use clap::Args;

use crate::cli::listing::{Format, print};

#[derive(Debug, Args)]
pub(in crate::cli) struct Find {
    /// The e-mail address, the name or the id of the user
    #[arg(value_name = "EMAIL|NAME|ID")]
    user: String,
    #[command(flatten)]
    format: Format,
}

impl Find {
    /// Prints the user with this address, name or id. One text may be the address of one user and the name of another: then both
    /// are printed.
    pub(in crate::cli) async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let mut users: Vec<User> = Vec::new();
        if let Ok(id) = self.user.parse() {
            users.extend(found(service.find_user(id).await)?);
        }
        if let Ok(email) = Email::parse(&self.user) {
            users.extend(found(service.find_by_email(&email).await)?);
        }
        if let Ok(username) = Username::parse(&self.user) {
            users.extend(found(service.find_by_username(&username).await)?);
        }
        users.sort_by_key(|user| user.id);
        users.dedup_by_key(|user| user.id);
        print(&users, self.format, out)?;
        if users.is_empty() { Err(AccountError::UserNotFound.into()) } else { Ok(()) }
    }
}

fn found(user: Result<User, AccountError>) -> Result<Option<User>, AccountError> {
    match user {
        Ok(user) => Ok(Some(user)),
        Err(AccountError::UserNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
