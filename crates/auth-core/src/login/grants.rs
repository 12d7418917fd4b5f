//! What the tokens of a user are issued with.

use std::sync::Arc;

use crate::claims_source::GrantOptions;
use crate::error::BoxError;
use crate::grants::{Grants, Scopes, TokenKind};
use crate::service::AuthService;
use crate::user::User;

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
