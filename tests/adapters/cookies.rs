//! The cookie of a session at every door: whose it is, that a header wins, and which page may change something.

use std::sync::atomic::Ordering;

use auth_core::{RefreshToken, SessionId};
use auth_http::{AllowedOrigins, CookieAuth, Origin, SessionCookie};
use auth_tests::{Client, Response};

use crate::expectations::{Carries, Door, Revocations, Site, assert_refused, refusal};
use crate::world::{Tokens, World};

const APP: &str = "https://app.example.com";

type Headers = Vec<(&'static str, String)>;

/// What every door accepts besides tokens in a header.
pub(crate) fn cookie_auth() -> CookieAuth {
    let allowed: AllowedOrigins = [Origin::parse(APP).unwrap()].into_iter().collect();
    CookieAuth::new(SessionCookie::Secure, allowed)
}

pub(crate) async fn hold_cookies(site: &Site, world: &World, tokens: &Tokens, revocations: Revocations) {
    let refresh = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
    for (name, headers, carries) in requests(tokens, &refresh) {
        for (door, path) in site.doors() {
            let answer = knock(site, "GET", path, &headers).await;
            let case = format!("{door:?}, {name}, revocations {revocations:?}");
            assert_outcome(&answer, tokens, carries, refusal(door, carries, revocations), &case);
        }
    }
    hold_pages(site, world, tokens, &refresh, revocations).await;
}

/// Every way to send a cookie, and what the request carries then.
fn requests(tokens: &Tokens, refresh: &RefreshToken) -> Vec<(String, Headers, Carries)> {
    let refresh = refresh.expose_text(str::to_owned);
    let named = |name: &str, token: &str| format!("{name}={token}~{refresh}");
    let ours = |token: &str| named("__Host-auth", token);
    let user = ours(&tokens.user.token);
    let mut requests = Vec::new();
    let mut add = |name: &str, headers: &[(&'static str, &str)], carries: Carries| {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        requests.push((name.to_owned(), headers, carries));
    };
    add("a user's cookie", &[("Cookie", &user)], Carries::User);
    add("a cookie among others", &[("Cookie", &format!("a=1; {user}; b=2"))], Carries::User);
    add("a cookie in the second header", &[("Cookie", "a=1"), ("Cookie", &user)], Carries::User);
    add("an admin's cookie", &[("Cookie", &ours(&tokens.admin.token))], Carries::Admin);
    add("an expired cookie", &[("Cookie", &ours(&tokens.expired))], Carries::Expired);
    add("a revoked cookie", &[("Cookie", &ours(&tokens.revoked))], Carries::Revoked);
    for (wrong, token) in &tokens.invalid {
        add(&format!("a cookie with {wrong}"), &[("Cookie", &ours(token))], Carries::Nonsense);
    }
    add("two cookies", &[("Cookie", &format!("{user}; {user}"))], Carries::Nonsense);
    add("two headers", &[("Cookie", &user), ("Cookie", &user)], Carries::Nonsense);
    add("a cookie that is cut", &[("Cookie", &user[..user.len() - 1])], Carries::Nonsense);
    add("no refresh token", &[("Cookie", &format!("__Host-auth={}", tokens.user.token))], Carries::Nonsense);
    add("an empty cookie", &[("Cookie", "__Host-auth=")], Carries::Nonsense);
    add("the name of development", &[("Cookie", &named("auth", &tokens.user.token))], Carries::Nothing);
    add("another prefix", &[("Cookie", &named("__Secure-auth", &tokens.user.token))], Carries::Nothing);
    let header = |token: &str| format!("Bearer {token}");
    let admin = ours(&tokens.admin.token);
    add(
        "a header and another's cookie",
        &[("Authorization", &header(&tokens.user.token)), ("Cookie", &admin)],
        Carries::User,
    );
    add("a bad header and a cookie", &[("Authorization", &header("x.y.z")), ("Cookie", &user)], Carries::Nonsense);
    add(
        "an expired header and a cookie",
        &[("Authorization", &header(&tokens.expired)), ("Cookie", &user)],
        Carries::Expired,
    );
    add("an empty header and a cookie", &[("Authorization", ""), ("Cookie", &user)], Carries::Nothing);
    requests
}

/// Requests that may change something: the page and the CSRF token decide.
async fn hold_pages(site: &Site, world: &World, tokens: &Tokens, refresh: &RefreshToken, revocations: Revocations) {
    let Holder { cookie, own, right } = &Holder::new(site, tokens, refresh);
    let other = RefreshToken::first(SessionId::generate().unwrap()).unwrap().csrf_token().expose_text();
    let (own, right) = (("Origin", own.as_str()), ("X-CSRF-Token", right.as_str()));
    for headers in [
        &[][..],
        &[own],
        &[right],
        &[own, ("X-CSRF-Token", &other)],
        &[own, ("X-CSRF-Token", "")],
        &[own, right, right],
        &[("Origin", "null"), right],
        &[("Origin", "https://evil.example"), right],
        &[own, own, right],
        &[own, ("Sec-Fetch-Site", "cross-site"), right],
        &[("Sec-Fetch-Site", "none"), right],
    ] {
        for method in ["POST", "DELETE"] {
            let before = world.visits.load(Ordering::SeqCst);
            let answer = knock(site, method, site.changes, &sent(cookie, headers)).await;
            assert_refused(&answer, "csrf", &format!("{method} with {headers:?}, revocations {revocations:?}"));
            assert_eq!(world.visits.load(Ordering::SeqCst), before, "the handler was called");
        }
    }
    for headers in [&[own, right][..], &[("Origin", APP), right], &[("Sec-Fetch-Site", "same-origin"), right]] {
        let answer = knock(site, "POST", site.changes, &sent(cookie, headers)).await;
        let expected = refusal(Door::Required, Carries::User, revocations);
        assert_outcome(&answer, tokens, Carries::User, expected, &format!("{headers:?}, revocations {revocations:?}"));
    }
}

/// What a page of a user sends.
struct Holder {
    cookie: String,
    own: String,
    right: String,
}

impl Holder {
    fn new(site: &Site, tokens: &Tokens, refresh: &RefreshToken) -> Self {
        Self {
            cookie: refresh.expose_text(|text| format!("__Host-auth={}~{text}", tokens.user.token)),
            own: format!("https://{}", site.address),
            right: refresh.csrf_token().expose_text(),
        }
    }
}

fn sent(cookie: &str, headers: &[(&'static str, &str)]) -> Headers {
    let cookie = ("Cookie", cookie.to_owned());
    [cookie].into_iter().chain(headers.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
}

async fn knock(site: &Site, method: &str, path: &str, headers: &Headers) -> Response {
    let request = Client::new(site.address).request(method, path);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().await
}

fn assert_outcome(answer: &Response, tokens: &Tokens, carries: Carries, refusal: Option<&str>, case: &str) {
    if let Some(code) = refusal {
        return assert_refused(answer, code, case);
    }
    assert_eq!(answer.status, 200, "{case}: {}", answer.body);
    let expected = match carries {
        Carries::User => &tokens.user.id,
        Carries::Admin => &tokens.admin.id,
        _ => "nobody",
    };
    assert!(answer.body.contains(expected), "{case}: {}", answer.body);
}
