//! Where the tokens of users get their scopes and the claims of the application from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::BoxError;
use crate::grants::{ExtraClaims, Scopes};
use crate::user::User;

/// Source of the claims that an application adds to the tokens of its users. It is asked each time that a token is issued.
///
/// ```
/// use async_trait::async_trait;
/// use auth_core::{BoxError, ClaimsSource, ExtraClaims, User};
/// use serde::Serialize;
///
/// #[derive(Debug)]
/// struct Tenants;
///
/// #[derive(Serialize)]
/// struct Tenant {
///     tenant: String,
/// }
///
/// #[async_trait]
/// impl ClaimsSource for Tenants {
///     async fn claims(&self, user: &User) -> Result<Option<ExtraClaims>, BoxError> {
///         let tenant = user.email.as_str().rsplit('@').next().unwrap_or_default().to_owned();
///         Ok(Some(ExtraClaims::new(&Tenant { tenant })?))
///     }
/// }
/// ```
#[async_trait]
pub trait ClaimsSource: fmt::Debug + Send + Sync {
    /// Returns the claims to add to a token of this user, or `None` for none.
    ///
    /// # Errors
    ///
    /// When they cannot be told. The login fails then.
    async fn claims(&self, user: &User) -> Result<Option<ExtraClaims>, BoxError>;
}

/// What every token of a user gets beside the roles of the user.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrantOptions {
    pub(crate) user_scopes: Scopes,
    pub(crate) claims_source: Option<Arc<dyn ClaimsSource>>,
}
