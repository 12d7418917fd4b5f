//! `auth-server user role …`: roles of users.

use auth_core::{AuthService, BoxError, Role, User};
use clap::{Args, Subcommand};

use super::Who;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RoleCommand {
    /// Give a user a role; it counts from the next token of the user
    Add(RoleOf),
    /// Take a role from a user and end their tokens
    Remove(RoleOf),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RoleOf {
    #[command(flatten)]
    who: Who,
    /// The role: 1 to 64 characters of a-z, 0-9, '_' and '-', the first of which is a letter
    #[arg(value_name = "ROLE")]
    role: Role,
}

impl RoleCommand {
    pub(in crate::cli) async fn run(self, service: &AuthService) -> Result<User, BoxError> {
        Ok(match self {
            Self::Add(RoleOf { who, role }) => service.give_role(who.id(service).await?, role).await?,
            Self::Remove(RoleOf { who, role }) => service.take_role(who.id(service).await?, role).await?,
        })
    }
}
