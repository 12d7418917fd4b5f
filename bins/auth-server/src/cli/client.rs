//! `auth-server client …`: management of clients.

use std::io::Write;
use std::time::Duration;

use auth_core::clients::{Client, ClientName};
use auth_core::{AuthService, BoxError, ClientId, CreatedClient, NewClient, Scope, Scopes};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::listing::{Entry, Format, print};
use super::user::{PAGE, rfc_3339};
use crate::config::parse_duration;

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Create a client and print its id and its secret, which cannot be shown again
    Create(Create),
    /// List all clients, the oldest first
    List(Format),
    /// Give a client another secret and print it; it cannot be shown again
    RotateSecret(RotateSecret),
    /// Disable a client and end its tokens
    Disable(Which),
    /// Let a disabled client get tokens again
    Enable(Which),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name, for people
    name: ClientName,
    /// The scopes that its tokens may have, with blanks between them
    #[arg(long, value_name = "SCOPES", default_value = "")]
    scope: Scopes,
    /// Time until the client expires, for example 90d; without it the client does not expire
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct RotateSecret {
    #[command(flatten)]
    which: Which,
    /// Time for which the old secret stays good, for example 24h; without it the old secret is refused at once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    keep_old: Option<Duration>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The id of the client
    #[arg(value_name = "CLIENT_ID")]
    id: ClientId,
}

impl ClientCommand {
    pub(super) async fn run(self, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
        let client = match self {
            Self::Create(create) => {
                let new = NewClient { name: create.name, scopes: create.scope, life: create.expires };
                return show_secret(&service.create_client(new).await?, create.format, out);
            }
            Self::List(format) => return list(format, service, out).await,
            Self::RotateSecret(rotate) => {
                let overlap = rotate.keep_old.unwrap_or_default();
                return show_secret(&service.rotate_client_secret(rotate.which.id, overlap).await?, rotate.format, out);
            }
            Self::Disable(which) => service.disable_client(which.id).await?,
            Self::Enable(which) => service.enable_client(which.id).await?,
        };
        writeln!(out, "{}", client.columns().join("\t"))?;
        Ok(())
    }
}

/// Prints what a client needs in order to get tokens.
fn show_secret(created: &CreatedClient, format: Format, out: &mut dyn Write) -> Result<(), BoxError> {
    let id = created.client.id;
    created.secret.expose_text(|secret| {
        if format.is_json() {
            writeln!(out, "{}", json!({ "client_id": id.to_string(), "client_secret": secret }))
        } else {
            writeln!(out, "client_id\t{id}\nclient_secret\t{secret}")
        }
    })?;
    Ok(())
}

async fn list(format: Format, service: &AuthService, out: &mut dyn Write) -> Result<(), BoxError> {
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let page = service.list_clients(clients.last().map(|client| client.id), PAGE).await?;
        if page.is_empty() {
            break;
        }
        clients.extend(page);
    }
    clients.sort_by_key(|client| (client.created_at, client.id));
    Ok(print(&clients, format, out)?)
}

impl Entry for Client {
    fn columns(&self) -> Vec<String> {
        let shown = |at: Option<_>| at.map_or_else(|| "-".to_owned(), rfc_3339);
        vec![
            self.id.to_string(),
            if self.disabled_at.is_some() { "disabled" } else { "enabled" }.to_owned(),
            self.name.to_string(),
            self.scopes.to_string(),
            rfc_3339(self.created_at),
            shown(self.expires_at),
            shown(self.last_used_at),
            shown(self.previous.map(|previous| previous.until)),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "client_id": self.id.to_string(),
            "name": self.name.as_str(),
            "scopes": self.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
            "created_at": rfc_3339(self.created_at),
            "expires_at": self.expires_at.map(rfc_3339),
            "disabled_at": self.disabled_at.map(rfc_3339),
            "last_used_at": self.last_used_at.map(rfc_3339),
            "old_secret_until": self.previous.map(|previous| rfc_3339(previous.until)),
        })
    }
}
