//! The headers by which `GET /auth/verify` tells a gateway whose token it is.

use auth_core::{Principal, Roles, Scopes};

/// Returns the headers that say who holds a good token, each with its value.
///
/// `X-Auth-User-Id` or, for the token of a client, `X-Auth-Client-Id`; `X-Auth-Admin`; and `X-Auth-Roles` and `X-Auth-Scope` where the
/// token carries any, with blanks between the names.
#[must_use]
pub fn holder_headers(principal: &Principal) -> [Option<(&'static str, String)>; 4] {
    let holder = match principal.client_id() {
        Some(client) => ("X-Auth-Client-Id", client.to_string()),
        None => ("X-Auth-User-Id", principal.user_id().to_string()),
    };
    let roles = principal.roles().filter(|roles| !roles.is_empty()).map(Roles::to_string);
    let scopes = principal.scopes().filter(|scopes| !scopes.is_empty()).map(Scopes::to_string);
    [
        Some(holder),
        Some(("X-Auth-Admin", principal.is_admin().to_string())),
        roles.map(|roles| ("X-Auth-Roles", roles)),
        scopes.map(|scopes| ("X-Auth-Scope", scopes)),
    ]
}
