//! Options of [`PersonalTokens`](super::PersonalTokens).

use std::sync::Arc;

use crate::claims_source::ClaimsSource;
use crate::grants::Scopes;

/// Maximum number of results of look-ups in memory.
pub const MAX_REMEMBERED_TOKENS: usize = 1 << 20;

/// Options of [`PersonalTokens`](super::PersonalTokens). An [`AuthService`](crate::AuthService) gives its own scopes and claims
/// source.
#[derive(Debug, Clone)]
pub struct PersonalTokenOptions {
    /// Maximum number of results of look-ups in memory, no more than [`MAX_REMEMBERED_TOKENS`]. Default: 10,000. Each needs about 250 bytes.
    pub memory: usize,
    /// Scopes that every login of a user gets. A personal token allows no others. Default: none.
    pub user_scopes: Scopes,
    /// Source of the claims of the application. Default: none.
    pub claims_source: Option<Arc<dyn ClaimsSource>>,
}

impl Default for PersonalTokenOptions {
    fn default() -> Self {
        Self { memory: 10_000, user_scopes: Scopes::default(), claims_source: None }
    }
}
