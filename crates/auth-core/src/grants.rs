//! What a token allows beyond saying who its holder is: roles, scopes and claims of the application.

mod extra;
mod names;

pub use self::extra::{ExtraClaims, ExtraClaimsError, MAX_EXTRA_CLAIMS_BYTES};
pub use self::names::{ADMIN, MAX_NAMES, NameError, Role, Roles, Scope, Scopes};

/// How the holder of a token came by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A user logged in.
    #[default]
    Login,
    /// A user made a personal access token, for a program of theirs. It allows what its scopes name and never changes the account.
    Personal,
    /// A client, which is a machine, authenticated with its own secret (RFC 6749 §4.4). There is no user.
    Client,
}

/// What a token allows beyond saying who its holder is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// How the holder came by the token.
    pub kind: TokenKind,
    /// Roles of the user, without [`ADMIN`], which is [`Claims::admin`](crate::Claims::admin).
    pub roles: Roles,
    /// Scopes of the token (RFC 6749 §3.3).
    pub scopes: Scopes,
    /// Claims that the application added.
    pub extra: Option<ExtraClaims>,
}

impl Grants {
    /// Returns whether a token with these grants carries nothing but what every login carries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kind == TokenKind::Login && self.roles.is_empty() && self.scopes.is_empty() && self.extra.is_none()
    }
}
