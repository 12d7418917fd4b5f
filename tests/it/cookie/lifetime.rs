//! Renewing and ending the session in the cookie.

use super::*;

#[tokio::test]
async fn a_refresh_sets_the_cookie_anew() {
    let app = app().await;
    let mut ada = Browser::log_in(&app, "ada").await;
    app.advance(Duration::from_secs(3_600));
    let old = ada.cookie.clone();
    for body in [None, Some(json!({}))] {
        let request = ada.by_page(app.post("/auth/refresh"));
        let request = if let Some(body) = &body { request.json(body) } else { request };
        let answer = request.send().await;
        assert_eq!((answer.status, answer.text("csrf_token")), (200, ada.csrf_token.clone()), "{}", answer.body);
        assert!(answer.json()["Authorization"].is_null() && answer.json()["refresh_token"].is_null());
        assert!(set_cookie(&answer).unwrap().ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000"));
        ada.keep(&answer);
        assert_eq!(ada.get(&app, "/user/me").await.status, 200);
    }
    assert_ne!(ada.cookie, old);
    let nobody = app.post("/auth/refresh").header("Origin", APP).send().await;
    assert_refused(&nobody, 400, "validation_failed", "neither body nor cookie");
    assert_eq!(nobody.json()["errors"]["refresh_token"], "'refresh_token' is a required property");
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_stay_logged_in() {
    let app = app().await;
    let mut ada = Browser::log_in(&app, "ada").await;
    for _ in 0..3 {
        app.advance(Duration::from_secs(1_000));
        let (one, other) = tokio::join!(ada.post(&app, "/auth/refresh"), ada.post(&app, "/auth/refresh"));
        assert_eq!((one.status, other.status), (200, 200));
        let refresh = |answer| cookie_of(answer).split_once('~').unwrap().1.to_owned();
        assert_eq!(refresh(&one), refresh(&other), "the same next token");
        ada.keep(&other);
        for answer in [&one, &other] {
            let cookie = format!("{NAME}={}", cookie_of(answer));
            assert_eq!(app.get("/user/me").header("Cookie", &cookie).send().await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_failed_refresh_leaves_the_cookie_alone() {
    let app = app().await;
    let ada = Browser::log_in(&app, "ada").await;
    let first = ada.post(&app, "/auth/refresh").await;
    assert_eq!(first.status, 200);
    app.advance(Duration::from_secs(60));
    // The tab that slept has a cookie of which another tab has used the refresh token long ago.
    let late = ada.post(&app, "/auth/refresh").await;
    assert_refused(&late, 401, "session_ended", "used before");
    assert_eq!(set_cookie(&late), None);
    let ended = app.get("/user/me").header("Cookie", &format!("{NAME}={}", cookie_of(&first))).send().await;
    assert_refused(&ended, 401, "token_revoked", "a re-use ends the session");
    let malformed = ada.by_page(app.post("/auth/refresh").header("Cookie", "__Host-auth=x")).send().await;
    assert_refused(&malformed, 401, "session_ended", "two cookies");
    assert_eq!(set_cookie(&malformed), None);
}

#[tokio::test]
async fn a_logout_ends_the_session_and_removes_the_cookie() {
    const REMOVED: &str = "__Host-auth=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    let app = app().await;
    for path in ["/auth/logout", "/auth/logout-all"] {
        let ada = Browser::log_in(&app, "ada").await;
        let answer = ada.post(&app, path).await;
        assert_eq!((answer.status, set_cookie(&answer)), (200, Some(REMOVED)), "{path}");
        assert_refused(&ada.get(&app, "/user/me").await, 401, "token_revoked", path);
        let refused = ada.post(&app, "/auth/refresh").await;
        assert_refused(&refused, 401, "session_ended", path);
        let again = ada.post(&app, path).await;
        assert_refused(&again, 401, "token_revoked", path);
        assert_eq!(set_cookie(&again), None, "the cookie may be that of a later login");
    }
    assert_refused(&app.post("/auth/logout").send().await, 403, "token_missing", "no token at all");
}

#[tokio::test]
async fn who_was_away_logs_out_all_the_same() {
    let app = app().await;
    let ada = Browser::log_in(&app, "ada").await;
    app.advance(Duration::from_secs(3_600));
    let refused = ada.with_cookie(app.post("/auth/logout")).header("Origin", &ada.origin).send().await;
    assert_refused(&refused, 403, "csrf", "an expired token is no way around the check");
    let answer = ada.post(&app, "/auth/logout").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(set_cookie(&answer).unwrap().ends_with("Max-Age=0"));
    assert_refused(&ada.post(&app, "/auth/refresh").await, 401, "session_ended", "logged out");
    let again = ada.post(&app, "/auth/logout").await;
    assert_refused(&again, 401, "session_ended", "it has ended already");
    assert_eq!(set_cookie(&again), None);
}

#[tokio::test]
async fn an_empty_body_of_unannounced_length_is_no_body() {
    let app = app().await;
    let browser = Browser::log_in(&app, "ada").await;
    let request = browser.by_page(app.post("/auth/refresh")).header("Transfer-Encoding", "chunked");
    let answer = request.without_length(b"0\r\n\r\n").send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_browser_logs_out_with_an_access_token_that_no_key_verifies() {
    let app = app().await;
    let mut browser = Browser::log_in(&app, "ada").await;
    let (_, refresh) = browser.cookie.split_once('~').unwrap();
    let refresh = refresh.to_owned();
    browser.cookie = format!("e30.e30.AAAA~{refresh}");
    assert_refused(&browser.get(&app, "/user/me").await, 401, "token_invalid", "no key verifies it");
    assert_eq!(browser.post(&app, "/auth/logout").await.status, 200);
    assert_refused(&app.refresh(&refresh).await, 401, "session_ended", "its session has ended");
}
