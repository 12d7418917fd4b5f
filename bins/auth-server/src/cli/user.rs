//! `auth-server user …`: management of users.

use std::io::Write;

use auth_core::{
    AuthService, BoxError, ChangePasswordError, Email, NewAccount, Password, RegisterError, User, UserId, Username,
};
use clap::{Args, Subcommand};

use super::password;

/// Number of users that are read at a time.
pub(super) const PAGE: u32 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a user; the password is asked for, or read from standard input
    Create(Create),
    /// List all users
    List,
    /// Make a user an admin
    Promote(Who),
    /// Make an admin an ordinary user and end their tokens
    Demote(Who),
    /// Disable an account and end its tokens
    Disable(Who),
    /// Let a disabled user log in again
    Enable(Who),
    /// End every token of a user
    LogoutEverywhere(Who),
    /// Give a user another password and end their tokens; it is asked for twice, or read from standard input
    SetPassword(SetPassword),
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
            Self::List => return list(service, out).await,
            Self::Promote(who) => service.promote(who.id(service).await?).await?,
            Self::Demote(who) => service.demote(who.id(service).await?).await?,
            Self::Disable(who) => service.disable(who.id(service).await?).await?,
            Self::Enable(who) => service.enable(who.id(service).await?).await?,
            Self::LogoutEverywhere(who) => service.logout_everywhere(who.id(service).await?).await?,
            Self::SetPassword(set) => set.run(service).await?,
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

async fn list(service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
    let mut after = None;
    loop {
        let users = service.list_users(after, PAGE).await?;
        users.iter().try_for_each(|user| write_user(out, user))?;
        let Some(last) = users.last() else { return Ok(()) };
        after = Some(last.id);
    }
}

fn write_user(out: &mut dyn Write, user: &User) -> std::io::Result<()> {
    let role = if user.admin { "admin" } else { "user" };
    let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
    writeln!(out, "{}\t{role}\t{state}\t{}\t{}", user.id, user.email, user.username)
}
