//! `auth-server user …`: management of users.

mod find;
mod role;

use std::io::Write;

use auth_core::{
    AuthService, BoxError, ChangePasswordError, Email, NewAccount, Password, RegisterError, Role, User, UserId,
    Username,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::find::Find;
use self::role::RoleCommand;
use super::confirm::{Action, confirm};
use super::listing::{Entry, Format, Listing};
use super::password;

/// Number of users that are read at a time.
pub(super) const PAGE: u32 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a user; the password is asked for, or read from standard input
    Create(Create),
    /// List all users
    List(Format),
    /// Find a user by e-mail address, name or id: exit code 0 if there is one, 1 if not
    Find(Find),
    /// Make a user an admin
    Promote(Who),
    /// Make an admin an ordinary user and end their tokens
    Demote(Who),
    /// Give and take roles
    #[command(subcommand)]
    Role(RoleCommand),
    /// Disable an account and end its tokens
    Disable(Who),
    /// Let a disabled user log in again
    Enable(Who),
    /// End every token of a user
    LogoutEverywhere(Who),
    /// Give a user another password and end their tokens; it is asked for twice, or read from standard input
    SetPassword(SetPassword),
    /// Vouch for the e-mail address of a user, as if they had confirmed it
    VerifyEmail(Who),
    /// Let a user try to log in at once after too many wrong guesses
    Unlock(Who),
    /// Delete a user for good, end their tokens, and delete everything that is stored about them; shows the user and asks
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    who: Who,
    /// Do not ask; needed where standard input is not a terminal
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The e-mail address
    #[arg(long)]
    email: String,
    /// The name
    #[arg(long)]
    username: String,
    /// Make the user an admin
    #[arg(long)]
    admin: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetPassword {
    #[command(flatten)]
    who: Who,
    /// Read the password from the first line of standard input, also where that is a terminal
    #[arg(long)]
    stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct Who {
    /// The e-mail address or the id of the user
    #[arg(value_name = "EMAIL|ID")]
    user: String,
}

impl UserCommand {
    pub(super) async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let user = match self {
            Self::Create(create) => create.run(service).await?,
            Self::List(format) => return list(format, service, out).await,
            Self::Find(find) => return find.run(service, out).await,
            Self::Delete(delete) => return delete.run(service, out).await,
            Self::Promote(who) => service.promote(who.id(service).await?).await?,
            Self::Demote(who) => service.demote(who.id(service).await?).await?,
            Self::Role(role) => role.run(service).await?,
            Self::Disable(who) => service.disable(who.id(service).await?).await?,
            Self::Enable(who) => service.enable(who.id(service).await?).await?,
            Self::LogoutEverywhere(who) => service.logout_everywhere(who.id(service).await?).await?,
            Self::SetPassword(set) => set.run(service).await?,
            Self::VerifyEmail(who) => service.vouch_for_email(who.id(service).await?).await?,
            Self::Unlock(who) => {
                let user = service.find_user(who.id(service).await?).await?;
                service.unlock(&user.email).await?
            }
        };
        write_user(out, &user)?;
        Ok(())
    }
}

impl Create {
    async fn run(self, service: &AuthService) -> Result<User, BoxError> {
        let email = Email::parse(&self.email).map_err(|rule| format!("--email {rule}"))?;
        let username = Username::parse(&self.username).map_err(|rule| format!("--username {rule}"))?;
        let password = parse_password(&password::read(false)?)?;
        let account = NewAccount { email, username, password };
        service.create_user(account, self.admin).await.map_err(|error| match error {
            RegisterError::Password(rule) => format!("the password {rule}").into(),
            other => other.into(),
        })
    }
}

impl SetPassword {
    async fn run(self, service: &AuthService) -> Result<User, BoxError> {
        let id = self.who.id(service).await?;
        let password = parse_password(&password::read(self.stdin)?)?;
        service.set_password(id, password).await.map_err(|error| match error {
            ChangePasswordError::NewPassword(rule) => format!("the password {rule}").into(),
            other => other.into(),
        })
    }
}

impl Delete {
    async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let user = service.find_user(self.who.id(service).await?).await?;
        write_user(out, &user)?;
        out.flush()?;
        if !self.yes {
            confirm(Action::Delete).await?;
        }
        service.delete_user(user.id).await?;
        writeln!(out, "deleted user {}", user.id)?;
        Ok(())
    }
}

fn parse_password(text: &str) -> Result<Password, BoxError> {
    Ok(Password::parse(text).map_err(|rule| format!("the password {rule}"))?)
}

impl Who {
    /// Returns the id of the user, read from the store if an e-mail address was given.
    pub(super) async fn id(&self, service: &AuthService) -> Result<UserId, BoxError> {
        if let Ok(id) = self.user.parse() {
            return Ok(id);
        }
        let email = Email::parse(&self.user).map_err(|_| "neither an e-mail address nor the id of a user")?;
        Ok(service.find_by_email(&email).await?.id)
    }
}

async fn list(format: Format, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
    let mut listing = Listing::begin(format, out);
    let mut after = None;
    loop {
        let users = service.list_users(after, PAGE).await?;
        users.iter().try_for_each(|user| listing.add(user))?;
        let Some(last) = users.last() else { return Ok(listing.end()?) };
        after = Some(last.id);
    }
}

fn write_user(out: &mut dyn Write, user: &User) -> std::io::Result<()> {
    writeln!(out, "{}", user.columns().join("\t"))
}

impl Entry for User {
    fn columns(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            if self.admin { "admin" } else { "user" }.to_owned(),
            if self.disabled_at.is_some() { "disabled" } else { "enabled" }.to_owned(),
            self.email.to_string(),
            self.username.to_string(),
            if self.email_verified { "verified" } else { "unverified" }.to_owned(),
            self.last_login_at.map_or_else(|| "-".to_owned(), rfc_3339),
            if self.roles.is_empty() { "-".to_owned() } else { self.roles.to_string() },
        ]
    }

    fn json(&self) -> Value {
        json!({
            "public_id": self.id.to_string(),
            "email": self.email.as_str(),
            "username": self.username.as_str(),
            "email_verified": self.email_verified,
            "admin": self.admin,
            "roles": self.roles.iter().map(Role::as_str).collect::<Vec<_>>(),
            "disabled_at": self.disabled_at.map(rfc_3339),
            "registered_on": rfc_3339(self.registered_on),
            "last_login_at": self.last_login_at.map(rfc_3339),
        })
    }
}

/// Writes an instant as RFC 3339 does. A year with more than four digits, which that cannot write, becomes `?`.
pub(super) fn rfc_3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| "?".to_owned())
}
