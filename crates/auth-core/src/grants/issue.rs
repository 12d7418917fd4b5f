//! What the tokens of a user are issued with.

use std::sync::Arc;

use super::{ClaimsSource, Grants, Scopes, TokenKind};
use crate::error::BoxError;
use crate::service::AuthService;
use crate::user::User;

/// What every token of a user gets beside the roles of the user.
#[derive(Debug, Default)]
pub(crate) struct GrantOptions {
    pub(crate) user_scopes: Scopes,
    pub(crate) claims_source: Option<Arc<dyn ClaimsSource>>,
}

impl AuthService {
    /// Returns the scopes that the tokens of users carry.
    #[must_use]
    pub fn user_scopes(&self) -> &Scopes {
        &self.parts.grants.user_scopes
    }

    /// Returns what a token of a login of this user carries beyond the user, or `None` where that is nothing.
    pub(crate) async fn grants_of(&self, user: &User) -> Result<Option<Arc<Grants>>, BoxError> {
        let GrantOptions { user_scopes, claims_source } = &self.parts.grants;
        let extra = match claims_source {
            Some(source) => source.claims(user).await?,
            None => None,
        };
        let grants = Grants { kind: TokenKind::Login, roles: user.roles.clone(), scopes: user_scopes.clone(), extra };
        Ok((!grants.is_empty()).then(|| Arc::new(grants)))
    }
}
