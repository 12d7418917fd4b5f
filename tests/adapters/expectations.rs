//! Every way to be right and to be wrong at a door, and what it looks like from outside. One suite for every adapter and for
//! the server, so that they cannot drift apart.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_tests::{Client, Response};
use serde_json::json;

use crate::cookies::hold_cookies;
use crate::world::{Tokens, World};

/// Where the doors are.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) required: &'static str,
    pub(crate) optional: Option<&'static str>,
    pub(crate) admin: &'static str,
    /// A door for holders of a token that answers every method.
    pub(crate) changes: &'static str,
}

impl Site {
    /// An app with all three doors under their own names.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, required: "/required", optional: Some("/optional"), admin: "/admin", changes: "/required" }
    }

    pub(crate) fn doors(&self) -> impl Iterator<Item = (Door, &'static str)> {
        let doors =
            [(Door::Required, Some(self.required)), (Door::Optional, self.optional), (Door::Admin, Some(self.admin))];
        doors.into_iter().filter_map(|(door, path)| Some((door, path?)))
    }
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    Nothing,
    Nonsense,
    Expired,
    Revoked,
    User,
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Required,
    Optional,
    Admin,
}

/// Whether anybody can tell what was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revocations {
    Known,
    Unknown,
}

/// Tells the whole story at a site that answers for `world.service` alone: memory is fresh, then stale with the log out of
/// reach, then stale with the log within reach.
pub(crate) async fn hold<F: Future<Output = SocketAddr>>(serve: impl FnOnce(&World) -> F) {
    let world = World::new();
    let tokens = Tokens::of(&world.service, &world).await;
    let site = Site::at(serve(&world).await);

    assert!(world.blacklist.sync_step().await.unwrap().complete);
    world.log.set_down(true);
    hold_at(&site, &world, &tokens, Revocations::Known).await;
    hold_cookies(&site, &world, &tokens, Revocations::Known).await;

    world.clock.advance(Duration::from_secs(3));
    hold_at(&site, &world, &tokens, Revocations::Unknown).await;
    hold_cookies(&site, &world, &tokens, Revocations::Unknown).await;

    world.log.set_down(false);
    hold_at(&site, &world, &tokens, Revocations::Known).await;
    hold_cookies(&site, &world, &tokens, Revocations::Known).await;
    hold_what_another_node_revoked(&site, &world, &tokens).await;
}

/// Tells the story at a server, which has parts of its own over the stores of `world`.
pub(crate) async fn hold_at_server(site: &Site, world: &World, tokens: &Tokens) {
    hold_at(site, world, tokens, Revocations::Known).await;
    hold_cookies(site, world, tokens, Revocations::Known).await;
    world.log.set_down(true);
    hold_at(site, world, tokens, Revocations::Unknown).await;
    hold_cookies(site, world, tokens, Revocations::Unknown).await;
    world.log.set_down(false);
    hold_what_another_node_revoked(site, world, tokens).await;
}

async fn hold_what_another_node_revoked(site: &Site, world: &World, tokens: &Tokens) {
    let header = vec![format!("Bearer {}", tokens.to_be_revoked).into_bytes()];
    assert_eq!(knock(site, site.required, &header).await.status, 200);
    world.revoke_elsewhere(&tokens.to_be_revoked).await;
    assert_refused(&knock(site, site.required, &header).await, "token_revoked", "revoked elsewhere");
}

async fn hold_at(site: &Site, world: &World, tokens: &Tokens, revocations: Revocations) {
    for (door, path) in site.doors() {
        for (name, headers, carries) in requests(tokens) {
            let before = world.visits.load(Ordering::SeqCst);
            let answer = knock(site, path, &headers).await;
            let visited = world.visits.load(Ordering::SeqCst) - before;
            let case = format!("{door:?}, {name}, revocations {revocations:?}");
            if let Some(code) = refusal(door, carries, revocations) {
                assert_refused(&answer, code, &case);
                assert_eq!(visited, 0, "{case}: the handler was called");
                continue;
            }
            assert_eq!(answer.status, 200, "{case}: {}", answer.body);
            match carries {
                Carries::User => assert!(answer.body.contains(&tokens.user.id), "{case}: {}", answer.body),
                Carries::Admin => assert!(answer.body.contains(&tokens.admin.id), "{case}: {}", answer.body),
                _ => assert_eq!(answer.body, "nobody", "{case}"),
            }
        }
    }
}

/// The code of the refusal that is due, if one is.
pub(crate) fn refusal(door: Door, carries: Carries, revocations: Revocations) -> Option<&'static str> {
    match (carries, door) {
        (Carries::Nothing, Door::Optional) => None,
        (Carries::Nothing, _) => Some("token_missing"),
        (Carries::Nonsense, _) => Some("token_invalid"),
        (Carries::Expired, _) => Some("token_expired"),
        // What was once known to be revoked stays revoked, whatever fails.
        (Carries::Revoked, _) => Some("token_revoked"),
        (Carries::User | Carries::Admin, _) if revocations == Revocations::Unknown => Some("unavailable"),
        (Carries::User, Door::Admin) => Some("admin_required"),
        (Carries::User | Carries::Admin, _) => None,
    }
}

type Headers = Vec<Vec<u8>>;

/// Every way to fill the `Authorization` header.
fn requests(tokens: &Tokens) -> Vec<(String, Headers, Carries)> {
    let good = &tokens.user.token;
    let mut requests = Vec::new();
    let mut add = |name: &str, headers: &[&[u8]], carries: Carries| {
        requests.push((name.to_owned(), headers.iter().map(|header| header.to_vec()).collect(), carries));
    };
    add("no header", &[], Carries::Nothing);
    for empty in ["", "Bearer", "bearer", "Bearer  ", "Bearer \t"] {
        add(&format!("{empty:?}"), &[empty.as_bytes()], Carries::Nothing);
    }
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer    ", "Bearer\t", " Bearer "] {
        add(&format!("{scheme:?} and a user's token"), &[format!("{scheme}{good}").as_bytes()], Carries::User);
    }
    add("blanks at the end", &[format!("Bearer {good} \t ").as_bytes()], Carries::User);
    add("an admin's token", &[format!("Bearer {}", tokens.admin.token).as_bytes()], Carries::Admin);
    add("an expired token", &[format!("Bearer {}", tokens.expired).as_bytes()], Carries::Expired);
    add("a revoked token", &[format!("Bearer {}", tokens.revoked).as_bytes()], Carries::Revoked);
    for (wrong, token) in &tokens.invalid {
        add(wrong, &[format!("Bearer {token}").as_bytes()], Carries::Nonsense);
    }
    for other in ["Basic YWRhOjEyMzQ1Ng==", "Basic", "Digest a=b", "Token abc", "Bearer: abc", "Bearerabc", ","] {
        add(other, &[other.as_bytes()], Carries::Nonsense);
    }
    add("a token without a scheme", &[good.as_bytes()], Carries::Nonsense);
    add("a scheme grown together with a token", &[format!("Bearer{good}").as_bytes()], Carries::Nonsense);
    add("two tokens in one header", &[format!("Bearer {good} {good}").as_bytes()], Carries::Nonsense);
    add("two tokens with a comma", &[format!("Bearer {good}, Bearer {good}").as_bytes()], Carries::Nonsense);
    let bearer = format!("Bearer {good}").into_bytes();
    add("two headers", &[&bearer, &bearer], Carries::Nonsense);
    add("two headers, the first empty", &[b"", &bearer], Carries::Nonsense);
    add("two headers, the second another scheme", &[&bearer, b"Basic YWRhOjEyMzQ1Ng=="], Carries::Nonsense);
    add("UTF-8 beyond ASCII", &[format!("Bearer {good}\u{fc}").as_bytes()], Carries::Nonsense);
    add("bytes that are no UTF-8", &[&[&bearer, b"\xff\xfe".as_slice()].concat()], Carries::Nonsense);
    requests
}

async fn knock(site: &Site, path: &str, headers: &[Vec<u8>]) -> Response {
    let request = Client::new(site.address).get(path);
    headers.iter().fold(request, |request, value| request.header_bytes("Authorization", value)).send().await
}

/// A refusal as `docs/API.md` has it, word for word.
pub(crate) fn assert_refused(answer: &Response, code: &str, case: &str) {
    const INVALID: &str = "Bearer realm=\"auth\", error=\"invalid_token\", error_description=";
    let invalid = |description: &str| Some(format!("{INVALID}\"{description}\""));
    let (status, message, challenge, retry_after) = match code {
        "token_missing" => (401, "Provide a valid auth token.", Some("Bearer realm=\"auth\"".to_owned()), None),
        "token_invalid" => (401, "Invalid token. Please log in again.", invalid("The token is invalid"), None),
        "token_expired" => (401, "Signature expired. Please log in again.", invalid("The token has expired"), None),
        "token_revoked" => (401, "Token blacklisted. Please log in again.", invalid("The token was revoked"), None),
        "admin_required" => {
            let challenge = "Bearer realm=\"auth\", error=\"insufficient_scope\"";
            (403, "admin token required", Some(challenge.to_owned()), None)
        }
        "csrf" => (403, "The request does not come from a page that may act for the user.", None, None),
        "unavailable" => (503, "The service is unavailable. Please try again in a moment.", None, Some("2")),
        other => panic!("no such refusal: {other}"),
    };
    assert_eq!(answer.status, status, "{case}: {}", answer.body);
    assert_eq!(answer.json(), json!({ "status": "fail", "message": message, "code": code }), "{case}");
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{case}");
    assert_eq!(answer.header("WWW-Authenticate"), challenge.as_deref(), "{case}");
    assert_eq!(answer.header("Retry-After"), retry_after, "{case}");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{case}");
}
