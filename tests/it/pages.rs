//! The pages that the links in letters open.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::letters::{LeaseId, LetterKind, Outbox};
use auth_core::memory::MemoryStore;
use auth_core::recovery::{
    OneTimeToken, OneTimeTokenDigest, OneTimeTokenPurpose, OneTimeTokenStore, SideEffects, StoredOneTimeToken,
};
use auth_core::{Email, StoreError, UserId};
use auth_server::ServerStores;
use auth_tests::{App, Response, assert_refused};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

const FORM: &str = "application/x-www-form-urlencoded";
const PATHS: [&str; 4] =
    ["/account/verify-email", "/account/change-email", "/account/reset-password", "/account/undo-email-change"];
const NEW_PASSWORD: &str = "correct+horse%21";

/// A server that sends letters, and the store in which they wait.
struct Post {
    app: App,
    store: Arc<MemoryStore>,
    _folder: tempfile::TempDir,
}

impl Post {
    async fn start() -> Self {
        Self::start_with(|store| store).await
    }

    /// A server whose store of one-time tokens is made of the store of everything else.
    async fn start_with<S: OneTimeTokenStore + 'static>(tokens: impl FnOnce(Arc<MemoryStore>) -> Arc<S>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::new().unwrap());
        let stores = ServerStores { one_time_tokens: tokens(store.clone()), ..ServerStores::from(store.clone()) };
        let mail = format!("file:{}", folder.path().display());
        let app = App::over_with(stores, &[("AUTH_MAIL", &mail)]).await;
        Self { app, store, _folder: folder }
    }

    /// Returns the text of the token in the letter of this kind that was written last.
    async fn token(&self, kind: LetterKind) -> String {
        let long_ago = datetime!(2000-01-01 00:00 UTC);
        let (lease, now) = (LeaseId::generate().unwrap(), datetime!(2100-01-01 00:00 UTC));
        let letters = self.store.lease(lease, now, long_ago, 100).await.unwrap().letters;
        let letters = letters.into_iter().map(|leased| leased.letter).filter(|letter| letter.kind == kind);
        let letter = letters.max_by_key(|letter| letter.created_at).expect("a letter of this kind");
        letter.secret.expect("the letter has a token").token.expose_text(str::to_owned)
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        self.app.get(&format!("{path}?token={token}")).send().await
    }

    async fn post(&self, path: &str, form: &str) -> Response {
        self.app.post(path).body(FORM, form.as_bytes()).send().await
    }

    /// Posts the token as the form of the page does.
    async fn press(&self, path: &str, token: &str) -> Response {
        self.post(path, &format!("token={token}")).await
    }

    async fn is_verified(&self) -> bool {
        let token = self.app.login("ada").await;
        let profile = self.app.get("/user/me").bearer(&token).send().await.json();
        profile["email_verified"].as_bool().unwrap()
    }

    async fn ask_for_address(&self, new: &str) {
        let body = json!({ "email": new, "current_password": App::PASSWORD });
        let token = self.app.login("ada").await;
        let answer = self.app.post("/user/me/email").bearer(&token).json(&body).send().await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    async fn forget(&self, email: &str) {
        let answer = self.app.post("/auth/password/forgot").json(&json!({ "email": email })).send().await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    async fn status_of_login(&self, email: &str, password: &str) -> u16 {
        self.app.try_login(email, password).await.status
    }
}

/// Checks what every page has in common.
fn assert_page(answer: &Response, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(&format!("<h1>{title}</h1>")), "no {title:?} in {}", answer.body);
    assert!(!answer.body.contains("<script") && !answer.body.contains("http"), "{}", answer.body);
    let policy = answer.header("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"), "{policy}");
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("Vary", "Accept-Language"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("Set-Cookie").is_none() && answer.header("X-Request-Id").is_some());
    assert!(status < 500 || answer.header("Retry-After").is_some(), "a {status} says when to come back");
}

/// Returns the page without its style sheet and its secret.
fn shown(answer: &Response, token: &str) -> String {
    let (before, rest) = answer.body.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    format!("{before}<style>…</style>{after}").replace(token, "<token>")
}

#[tokio::test]
async fn an_address_is_confirmed_by_a_click_and_not_by_opening_the_link() {
    let post = Post::start().await;
    post.app.register("ada").await;
    let token = post.token(LetterKind::VerifyEmail).await;
    for _ in 0..3 {
        let page = post.get("/account/verify-email", &token).await;
        assert_page(&page, 200, "Confirm your email address");
        insta::assert_snapshot!("verify_email", shown(&page, &token));
    }
    let path = format!("/account/verify-email?token={token}");
    assert_eq!(post.app.request("HEAD", &path).send().await.status, 200);
    assert!(!post.is_verified().await, "opening the link confirms nothing");

    let done = post.press("/account/verify-email", &token).await;
    assert_page(&done, 200, "Your address is confirmed");
    assert!(done.body.contains("<p>ada@example.com is confirmed."), "{}", done.body);
    assert!(post.is_verified().await);

    for answer in [post.get("/account/verify-email", &token).await, post.press("/account/verify-email", &token).await] {
        assert_page(&answer, 400, "This link does not work any more");
        insta::assert_snapshot!("stale", shown(&answer, &token));
    }
}

#[tokio::test]
async fn a_password_is_set_after_one_that_breaks_a_rule_with_the_same_link() {
    let post = Post::start().await;
    post.app.register("ada").await;
    post.forget("ada@example.com").await;
    let token = post.token(LetterKind::ResetPassword).await;
    let page = post.get("/account/reset-password", &token).await;
    assert_page(&page, 200, "Choose a new password");
    insta::assert_snapshot!("reset_password", shown(&page, &token));

    for (password, error) in [
        ("", "Enter a password."),
        ("short", "It needs at least 6 characters."),
        ("ada@example.com", "This is your email address or username."),
        (&"a".repeat(300), "It can have at most 256 characters."),
        (&"a".repeat(80), "It can have at most 72 bytes"),
        ("with%00nul", "This password has a character that cannot be used."),
    ] {
        let refused = post.post("/account/reset-password", &format!("token={token}&password={password}")).await;
        assert_page(&refused, 400, "Choose a new password");
        let field = r#"aria-describedby="error rules" aria-invalid="true""#;
        for part in [error, field, "<title>Error: ", &format!(r#"name="token" value="{token}""#)] {
            assert!(refused.body.contains(part), "{password:?}: no {part} in {}", refused.body);
        }
        assert!(refused.body.contains(r#"type="password" value="""#), "a hidden password is not sent back");
    }
    assert_eq!(post.status_of_login("ada@example.com", App::PASSWORD).await, 200);

    let done = post.post("/account/reset-password", &format!("token={token}&password={NEW_PASSWORD}")).await;
    assert_page(&done, 200, "Your new password is set");
    assert_eq!(post.status_of_login("ada@example.com", App::PASSWORD).await, 401);
    assert_eq!(post.status_of_login("ada@example.com", "correct horse!").await, 200);
    let again = post.post("/account/reset-password", &format!("token={token}&password={NEW_PASSWORD}")).await;
    assert_page(&again, 400, "This link does not work any more");
}

#[tokio::test]
async fn the_button_that_shows_a_password_sets_none() {
    let post = Post::start().await;
    post.app.register("ada").await;
    post.forget("ada@example.com").await;
    let token = post.token(LetterKind::ResetPassword).await;
    let form = |rest: &str| format!("token={token}&password=a%22%3E%3Cb{rest}");
    let visible = r#"name="password" type="text" value="a&#34;&#62;&#60;b""#;
    let hidden = r#"name="password" type="password" value="a&#34;&#62;&#60;b""#;
    for (rest, expected) in [("&show=yes", visible), ("&shown=yes&show=no", hidden)] {
        let page = post.post("/account/reset-password", &form(rest)).await;
        assert_page(&page, 200, "Choose a new password");
        assert!(page.body.contains(expected), "{rest}: {}", page.body);
    }
    let refused = post.post("/account/reset-password", &form("&shown=yes")).await;
    assert_page(&refused, 400, "Choose a new password");
    assert!(refused.body.contains(visible), "what is visible stays to be corrected: {}", refused.body);
    assert_eq!(post.status_of_login("ada@example.com", App::PASSWORD).await, 200);
}

#[tokio::test]
async fn an_address_is_changed_and_the_old_one_taken_back() {
    let post = Post::start().await;
    post.app.register("ada").await;
    post.ask_for_address("new@example.com").await;
    let token = post.token(LetterKind::ChangeEmail).await;
    let page = post.get("/account/change-email", &token).await;
    assert_page(&page, 200, "Confirm your new email address");
    assert!(page.body.contains("<dd>new@example.com</dd>"), "{}", page.body);
    assert_eq!(post.status_of_login("ada@example.com", App::PASSWORD).await, 200);
    let done = post.press("/account/change-email", &token).await;
    assert_page(&done, 200, "Your address is changed");
    assert_eq!(post.status_of_login("new@example.com", App::PASSWORD).await, 200);

    let token = post.token(LetterKind::EmailChanged).await;
    let page = post.get("/account/undo-email-change", &token).await;
    assert_page(&page, 200, "Get your old address back");
    assert!(page.body.contains("<dd>ada@example.com</dd>") && !page.body.contains("new@"), "{}", page.body);
    assert_eq!(post.status_of_login("new@example.com", App::PASSWORD).await, 200);
    let done = post.press("/account/undo-email-change", &token).await;
    assert_page(&done, 200, "The change is undone");
    for email in ["ada@example.com", "new@example.com"] {
        assert_eq!(post.status_of_login(email, App::PASSWORD).await, 401, "{email}");
    }
    let token = post.token(LetterKind::ResetPassword).await;
    let done = post.post("/account/reset-password", &format!("token={token}&password={NEW_PASSWORD}")).await;
    assert_page(&done, 200, "Your new password is set");
    assert_eq!(post.status_of_login("ada@example.com", "correct horse!").await, 200);
}

#[tokio::test]
async fn an_address_that_another_account_has_got_meanwhile_stays_with_it() {
    let post = Post::start().await;
    post.app.register("ada").await;
    post.ask_for_address("bob@example.com").await;
    let token = post.token(LetterKind::ChangeEmail).await;
    post.app.register("bob").await;
    assert_page(&post.press("/account/change-email", &token).await, 409, "This address is taken");
    assert_eq!(post.status_of_login("ada@example.com", App::PASSWORD).await, 200);
}

#[tokio::test]
async fn a_link_that_is_broken_or_of_another_page_is_a_stale_one() {
    let post = Post::start().await;
    post.app.register("ada").await;
    let token = post.token(LetterKind::VerifyEmail).await;
    let never_made = OneTimeToken::generate().unwrap().expose_text(str::to_owned);
    for path in PATHS {
        for wrong in ["", "x", &token[..token.len() - 1], &never_made, "%00", "%ff"] {
            let answers = [post.get(path, wrong).await, post.press(path, wrong).await, post.app.get(path).send().await];
            for answer in answers {
                assert_page(&answer, 400, "This link does not work any more");
            }
        }
        if path != "/account/verify-email" {
            assert_page(&post.press(path, &token).await, 400, "This link does not work any more");
        }
    }
    post.app.advance(Duration::from_hours(24));
    assert_page(&post.get("/account/verify-email", &token).await, 400, "This link does not work any more");
}

#[tokio::test]
async fn parameters_that_programs_add_to_a_link_are_ignored() {
    let post = Post::start().await;
    post.app.register("ada").await;
    let token = post.token(LetterKind::VerifyEmail).await;
    let link = format!("/account/verify-email?utm_source=mail&token={token}&utm_source=again");
    assert_page(&post.app.get(&link).send().await, 200, "Confirm your email address");
}

#[tokio::test]
async fn a_form_of_another_site_and_what_is_no_form_do_nothing() {
    let post = Post::start().await;
    post.app.register("ada").await;
    let token = post.token(LetterKind::VerifyEmail).await;
    let (path, form) = ("/account/verify-email", format!("token={token}"));
    let request = || post.app.post(path);
    let title = "Please use the link in the message";
    let foreign = request().header("Sec-Fetch-Site", "cross-site").body(FORM, form.as_bytes()).send().await;
    assert_page(&foreign, 403, title);
    let repeated = request().body(FORM, format!("{form}&{form}").as_bytes()).send().await;
    assert_page(&repeated, 400, title);
    let multipart = request().body("multipart/form-data; boundary=a", form.as_bytes()).send().await;
    assert_page(&multipart, 415, title);
    let compressed = request().header("Content-Encoding", "gzip").body(FORM, form.as_bytes()).send().await;
    assert_page(&compressed, 415, title);
    let large = request().body(FORM, format!("{form}&other={}", "a".repeat(20_000)).as_bytes()).send().await;
    assert_page(&large, 413, title);
    assert!(!post.is_verified().await);
    let other_method = post.app.request("PUT", path).send().await;
    assert_refused(&other_method, 405, "method_not_allowed", "a page answers GET and POST");
    assert_eq!(other_method.header("Allow"), Some("GET, HEAD, POST"));
    let own = request().header("Sec-Fetch-Site", "same-origin");
    let own = own.body("application/x-www-form-urlencoded; charset=utf-8", form.as_bytes()).send().await;
    assert_page(&own, 200, "Your address is confirmed");
}

#[tokio::test]
async fn a_page_is_in_the_language_that_the_browser_prefers() {
    let post = Post::start().await;
    post.app.register("ada").await;
    let token = post.token(LetterKind::VerifyEmail).await;
    for (preferred, language, title) in [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko", "이메일 주소 확인"),
        ("en;q=0.2, ko;q=0.3", "ko", "이메일 주소 확인"),
        ("en-GB, ko;q=0.9", "en", "Confirm your email address"),
        ("de, fr;q=0.9", "en", "Confirm your email address"),
    ] {
        let request = post.app.get(&format!("/account/verify-email?token={token}"));
        let page = request.header("Accept-Language", preferred).send().await;
        assert_page(&page, 200, title);
        assert_eq!(page.header("Content-Language"), Some(language), "{preferred}");
        assert!(page.body.contains(&format!("<html lang=\"{language}\">")), "{}", page.body);
    }
}

/// A store of tokens that finds some and takes no writes, as a database in trouble.
#[derive(Debug)]
struct Away(Arc<MemoryStore>);

#[async_trait]
impl OneTimeTokenStore for Away {
    async fn write(&self, effects: SideEffects) -> Result<bool, StoreError> {
        OneTimeTokenStore::write(&*self.0, effects).await
    }
    async fn find(&self, _: OneTimeTokenDigest, _: OffsetDateTime) -> Result<Option<StoredOneTimeToken>, StoreError> {
        Err(StoreError::unavailable("dial db.internal:5432"))
    }
    async fn find_latest(
        &self,
        _: &Email,
        _: OneTimeTokenPurpose,
        _: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        Err(StoreError::unavailable("dial db.internal:5432"))
    }
    async fn open_tokens(&self, _: UserId, _: OffsetDateTime) -> Result<Vec<StoredOneTimeToken>, StoreError> {
        Err(StoreError::unavailable("dial db.internal:5432"))
    }
    async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
        Err(StoreError::unavailable("dial db.internal:5432"))
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_a_page_that_says_to_try_again() {
    let post = Post::start_with(|store| Arc::new(Away(store))).await;
    post.app.register("ada").await;
    let token = post.token(LetterKind::VerifyEmail).await;
    for path in PATHS {
        for answer in [post.get(path, &token).await, post.press(path, &token).await] {
            assert_page(&answer, 503, "Please try again in a moment");
            assert!(!answer.body.contains("db.internal"), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn without_letters_there_are_no_pages() {
    let app = App::in_memory().await;
    for path in PATHS {
        assert_refused(&app.get(path).send().await, 404, "not_found", path);
        assert_refused(&app.post(path).body(FORM, b"token=x").send().await, 404, "not_found", path);
    }
}
