//! What a route demands of the holder of a good token.

use std::sync::Arc;

use auth_core::{Principal, TokenKind};

use crate::refusal::{Refusal, RefusalKind};

/// Demand of a route on the holder of a good token. Cheap to clone.
///
/// ```
/// use auth_http::Demand;
///
/// let editors = Demand::user().role("editor");
/// let reports = Demand::user().scope("reports:read");
/// ```
#[derive(Debug, Clone)]
pub struct Demand {
    holders: Holders,
    admin: bool,
    names: Option<Arc<Names>>,
}

/// Kinds of tokens that a route without a scope admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holders {
    Users,
    LoggedIn,
    Anyone,
}

/// Names that a token must carry.
#[derive(Debug, Clone, Default)]
struct Names {
    roles: Vec<Box<str>>,
    scopes: Vec<Box<str>>,
}

impl Demand {
    /// Returns the demand for the token of a user: of a login, or a personal access token. The token of a client is refused, unless
    /// the demand names a [scope](Self::scope): then whoever has the scope is admitted.
    #[must_use]
    pub const fn user() -> Self {
        Self::new(Holders::Users)
    }

    /// Returns the demand for the token of a login. It is for routes that change the account of the user, which no program of the
    /// user may do. Personal access tokens and the tokens of clients are refused, whatever their scopes.
    #[must_use]
    pub const fn login() -> Self {
        Self::new(Holders::LoggedIn)
    }

    /// Returns the demand for a good token, whoever holds it. It is for a route that looks at the
    /// [kind](Principal::kind) of the token itself.
    #[must_use]
    pub const fn anyone() -> Self {
        Self::new(Holders::Anyone)
    }

    const fn new(holders: Holders) -> Self {
        Self { holders, admin: false, names: None }
    }

    /// Demands the token of a login, as [`login`](Self::login) does.
    #[must_use]
    pub fn login_only(self) -> Self {
        Self { holders: Holders::LoggedIn, ..self }
    }

    /// Demands that the holder is an admin.
    #[must_use]
    pub fn admin(self) -> Self {
        Self { admin: true, ..self }
    }

    /// Demands that the token carries this role. A second role is demanded in addition. A name that no role can have admits nobody.
    #[must_use]
    pub fn role(mut self, name: impl Into<Box<str>>) -> Self {
        self.names_mut().roles.push(name.into());
        self
    }

    /// Demands that the token carries this scope. A second scope is demanded in addition. A name that no scope can have admits
    /// nobody.
    #[must_use]
    pub fn scope(mut self, name: impl Into<Box<str>>) -> Self {
        self.names_mut().scopes.push(name.into());
        self
    }

    fn names_mut(&mut self) -> &mut Names {
        Arc::make_mut(self.names.get_or_insert_default())
    }

    /// Compares the demand with the token of `principal`.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::InsufficientScope`], [`RefusalKind::AdminRequired`] or [`RefusalKind::RoleRequired`] when the token does not meet
    /// the demand.
    pub fn check(&self, principal: &Principal) -> Result<(), Refusal> {
        let (roles, scopes) = self.names.as_deref().map_or((&[][..], &[][..]), |names| (&names.roles, &names.scopes));
        let is_of_the_kind = match self.holders {
            Holders::Users => principal.kind() != TokenKind::Client || !scopes.is_empty(),
            Holders::LoggedIn => principal.kind() == TokenKind::Login,
            Holders::Anyone => true,
        };
        if !is_of_the_kind {
            return Err(RefusalKind::InsufficientScope.into());
        }
        if !scopes.iter().all(|name| principal.has_scope(name)) {
            return Err(Refusal::insufficient_scope(scopes));
        }
        if self.admin && !principal.is_admin() {
            return Err(RefusalKind::AdminRequired.into());
        }
        if !roles.iter().all(|name| principal.has_role(name)) {
            return Err(RefusalKind::RoleRequired.into());
        }
        Ok(())
    }
}
