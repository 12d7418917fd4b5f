//! OAuth 2.0 over HTTP: tokens of clients and of sessions (RFC 6749), their revocation (RFC 7009) and introspection (RFC 7662).

use std::time::Duration;

use auth_core::{ClientId, NewClient};
use auth_testing::databases::TestDatabase;
use auth_tests::{App, Request, Response, assert_refused};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

mod introspection;

auth_testing::on_every_database!(
    a_client_gets_tokens_until_it_is_disabled_on_every_node,
    the_old_secret_is_good_until_the_end_of_its_rotation,
    a_session_is_renewed_and_ended_by_its_refresh_token,
    a_client_ends_its_own_token_and_no_other,
);

const FORM: &str = "application/x-www-form-urlencoded";
const MINUTE: Duration = Duration::from_mins(1);

/// A client with its secret. Neither has a character that a form would change.
struct Machine {
    id: ClientId,
    secret: String,
}

impl Machine {
    async fn create(app: &App, scopes: &str, life: Option<Duration>) -> Self {
        let new = NewClient { name: "Nightly report".parse().unwrap(), scopes: scopes.parse().unwrap(), life };
        let created = app.service().create_client(new).await.unwrap();
        Self { id: created.client.id, secret: created.secret.expose_text(str::to_owned) }
    }

    /// The value of `Authorization` (RFC 6749 §2.3.1).
    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }

    /// The parameters that say the same in a form.
    fn post(&self) -> String {
        format!("client_id={}&client_secret={}", self.id, self.secret)
    }

    async fn send(&self, app: &App, path: &str, form: &str) -> Response {
        request(app, path, form).header("Authorization", &self.basic()).send().await
    }

    async fn ask(&self, app: &App) -> Response {
        self.send(app, "/oauth/token", "grant_type=client_credentials").await
    }

    async fn token(&self, app: &App) -> String {
        let answer = self.ask(app).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("access_token")
    }

    async fn introspect(&self, app: &App, token: &str) -> Value {
        let answer = self.send(app, "/oauth/introspect", &format!("token={token}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_not_stored(&answer, "introspection");
        answer.json()
    }
}

fn request(app: &App, path: &str, form: &str) -> Request {
    app.post(path).body(FORM, form.as_bytes())
}

async fn send(app: &App, path: &str, form: &str) -> Response {
    request(app, path, form).send().await
}

async fn renew(app: &App, refresh_token: &str) -> Response {
    send(app, "/oauth/token", &format!("grant_type=refresh_token&refresh_token={refresh_token}")).await
}

async fn is_good(app: &App, token: &str) -> bool {
    app.get("/auth/verify").bearer(token).send().await.status == 200
}

fn assert_not_stored(answer: &Response, what: &str) {
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("Pragma"), Some("no-cache"), "{what}");
}

/// Checks the form of an error of RFC 6749 §5.2.
fn assert_error(answer: &Response, status: u16, error: &str, what: &str) {
    assert_eq!((answer.status, answer.text("error").as_str()), (status, error), "{what}: {}", answer.body);
    assert_not_stored(answer, what);
    let body = answer.json();
    let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["error", "error_description"], "{what}");
    let challenge = (status == 401).then_some("Basic realm=\"auth\"");
    assert_eq!(answer.header("WWW-Authenticate"), challenge, "{what}");
    assert_eq!(answer.header("Retry-After").is_some(), matches!(status, 429 | 503), "{what}");
}

async fn a_client_gets_tokens_until_it_is_disabled_on_every_node(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start(&database).await);
    let machine = Machine::create(&near, "orders:read orders:write", None).await;
    let by_header = machine.ask(&near).await;
    let by_form = send(&far, "/oauth/token", &format!("grant_type=client_credentials&{}", machine.post())).await;
    for answer in [&by_header, &by_form] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_not_stored(answer, "a token");
        let expected = json!({
            "access_token": answer.text("access_token"), "token_type": "Bearer", "expires_in": 3600,
            "scope": "orders:read orders:write",
        });
        assert_eq!(answer.json(), expected);
    }
    let token = by_header.text("access_token");
    for node in [&near, &far] {
        let answer = node.get("/auth/verify").bearer(&token).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("X-Auth-Client-Id"), Some(machine.id.to_string().as_str()));
        assert_eq!(answer.text("client_id"), machine.id.to_string());
        assert_eq!(answer.header("X-Auth-Scope"), Some("orders:read orders:write"));
        assert_eq!((answer.header("X-Auth-User-Id"), answer.header("X-Auth-Admin")), (None, Some("false")));
        assert_refused(&node.get("/user/me").bearer(&token).send().await, 403, "insufficient_scope", "no user");
    }

    near.service().disable_client(machine.id).await.unwrap();
    for node in [&near, &far] {
        assert_refused(&node.get("/auth/verify").bearer(&token).send().await, 401, "token_revoked", "disabled");
        assert_error(&machine.ask(node).await, 401, "invalid_client", "disabled");
    }
    far.service().enable_client(machine.id).await.unwrap();
    let next = machine.token(&near).await;
    for node in [&near, &far] {
        assert!(is_good(node, &next).await && !is_good(node, &token).await, "tokens from before stay revoked");
    }
}

async fn the_old_secret_is_good_until_the_end_of_its_rotation(database: TestDatabase) {
    let app = App::start(&database).await;
    let first = Machine::create(&app, "report", None).await;
    let rotate = async |overlap| {
        let rotated = app.service().rotate_client_secret(first.id, overlap).await.unwrap();
        Machine { id: first.id, secret: rotated.secret.expose_text(str::to_owned) }
    };
    let second = rotate(10 * MINUTE).await;
    assert_eq!((first.ask(&app).await.status, second.ask(&app).await.status), (200, 200));
    app.advance(10 * MINUTE);
    assert_error(&first.ask(&app).await, 401, "invalid_client", "its time is over");
    let token = second.token(&app).await;
    let third = rotate(Duration::ZERO).await;
    assert_error(&second.ask(&app).await, 401, "invalid_client", "it was replaced at once");
    assert_eq!(third.ask(&app).await.status, 200);
    assert!(is_good(&app, &token).await, "a rotation ends no token");
}

async fn a_session_is_renewed_and_ended_by_its_refresh_token(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start(&database).await);
    near.register("ada").await;
    let login = near.login_to_refresh("ada").await;
    let answer = renew(&far, &login.text("refresh_token")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_not_stored(&answer, "a renewal");
    let (access, refresh) = (answer.text("access_token"), answer.text("refresh_token"));
    assert_eq!((answer.text("token_type").as_str(), answer.json().get("scope")), ("Bearer", None));
    assert!(answer.json()["expires_in"].is_u64() && answer.json()["refresh_token_expires_in"].is_u64());
    assert!(is_good(&near, &access).await);

    let ended = send(&near, "/oauth/revoke", &format!("token={refresh}&token_type_hint=refresh_token")).await;
    assert_eq!((ended.status, ended.body.as_str()), (200, ""));
    for node in [&near, &far] {
        assert!(!is_good(node, &access).await && !is_good(node, &login.text("Authorization")).await);
        assert_error(&renew(node, &refresh).await, 400, "invalid_grant", "its session has ended");
    }
    let again = send(&far, "/oauth/revoke", &format!("token={refresh}")).await;
    assert_eq!((again.status, again.body.as_str()), (200, ""));
}

async fn a_client_ends_its_own_token_and_no_other(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start(&database).await);
    let (one, other) = (Machine::create(&near, "a", None).await, Machine::create(&near, "a", None).await);
    let (token, kept) = (one.token(&near).await, one.token(&near).await);
    let form = format!("token={token}");
    assert_error(&send(&near, "/oauth/revoke", &form).await, 401, "invalid_client", "nobody");
    assert_error(&other.send(&near, "/oauth/revoke", &form).await, 400, "invalid_grant", "another client");
    assert!(is_good(&near, &token).await && is_good(&far, &token).await);
    // A wrong hint changes nothing (RFC 7009 §2.1).
    let ended = one.send(&far, "/oauth/revoke", &format!("{form}&token_type_hint=refresh_token")).await;
    assert_eq!((ended.status, ended.body.as_str()), (200, ""));
    for node in [&near, &far] {
        assert!(!is_good(node, &token).await && is_good(node, &kept).await);
    }

    let ada = near.register("ada").await.text("Authorization");
    assert_eq!(send(&near, "/oauth/revoke", &format!("token={ada}")).await.status, 200);
    assert!(!is_good(&far, &ada).await, "whoever holds a token of a user may end it");
}

#[tokio::test]
async fn what_is_no_good_authentication_is_refused() {
    let app = App::in_memory().await;
    let (good, other) = (Machine::create(&app, "a", None).await, Machine::create(&app, "a", None).await);
    let wrong = Machine { id: good.id, secret: other.secret.clone() };
    let unknown = Machine { id: ClientId::generate().unwrap(), secret: good.secret.clone() };
    let malformed = Machine { id: good.id, secret: "secret".to_owned() };
    for (machine, what) in [(&wrong, "wrong"), (&unknown, "unknown"), (&malformed, "malformed")] {
        for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
            let form = "grant_type=client_credentials&token=x";
            assert_error(&machine.send(&app, path, form).await, 401, "invalid_client", what);
            let form = format!("{form}&{}", machine.post());
            assert_error(&send(&app, path, &form).await, 401, "invalid_client", what);
        }
    }
    let form = "grant_type=client_credentials";
    assert_error(&send(&app, "/oauth/token", form).await, 401, "invalid_client", "no client");
    assert_error(&send(&app, "/oauth/introspect", "token=x").await, 401, "invalid_client", "no client");
    let both = format!("{form}&{}", good.post());
    assert_error(&good.send(&app, "/oauth/token", &both).await, 400, "invalid_request", "two ways at once");
    let foreign = format!("{form}&client_id={}", other.id);
    assert_error(&good.send(&app, "/oauth/token", &foreign).await, 400, "invalid_request", "two clients");
    let twice = request(&app, "/oauth/token", form).header("Authorization", &good.basic());
    let twice = twice.header("Authorization", &good.basic()).send().await;
    assert_error(&twice, 400, "invalid_request", "two headers");
    let bearer = request(&app, "/oauth/token", form).bearer(&good.token(&app).await).send().await;
    assert_error(&bearer, 401, "invalid_client", "another scheme");
    assert_eq!(good.send(&app, "/oauth/token", &format!("{form}&client_id={}", good.id)).await.status, 200);
}

#[tokio::test]
async fn a_token_has_the_scopes_that_were_asked_for_and_no_more() {
    let app = App::in_memory().await;
    let (machine, without) = (Machine::create(&app, "a b c", None).await, Machine::create(&app, "", None).await);
    let ask = async |scope: &str| {
        machine.send(&app, "/oauth/token", &format!("grant_type=client_credentials&scope={scope}")).await
    };
    for (asked, got) in [("c+a", "a c"), ("a%20b%20c", "a b c"), ("b+b", "b"), ("", "a b c")] {
        let answer = ask(asked).await;
        assert_eq!((answer.status, answer.text("scope").as_str()), (200, got), "{asked}: {}", answer.body);
        let verified = app.get("/auth/verify").bearer(&answer.text("access_token")).send().await;
        assert_eq!(verified.header("X-Auth-Scope"), Some(got));
    }
    for refused in ["d", "a+d", "A", "+", "%22", "%5C", "%C3%A4"] {
        assert_error(&ask(refused).await, 400, "invalid_scope", refused);
    }
    let answer = without.ask(&app).await;
    assert_eq!((answer.status, answer.json().get("scope")), (200, None), "{}", answer.body);
}

#[tokio::test]
async fn a_client_that_expires_takes_its_tokens_along() {
    let app = App::in_memory().await;
    let judge = Machine::create(&app, "introspect", None).await;
    let machine = Machine::create(&app, "a", Some(10 * MINUTE)).await;
    let answer = machine.ask(&app).await;
    assert_eq!((answer.status, &answer.json()["expires_in"]), (200, &json!(600)), "{}", answer.body);
    let token = answer.text("access_token");
    assert_eq!(judge.introspect(&app, &token).await["active"], true);
    app.advance(10 * MINUTE);
    assert_error(&machine.ask(&app).await, 401, "invalid_client", "expired");
    // The leeway of a token.
    app.advance(Duration::from_secs(1));
    assert_eq!(judge.introspect(&app, &token).await, json!({ "active": false }));
}

#[tokio::test]
async fn what_is_no_request_for_a_token_is_refused() {
    let app = App::in_memory().await;
    let machine = Machine::create(&app, "a", None).await;
    for (form, error) in [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=Client_Credentials", "unsupported_grant_type"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=refresh_token&refresh_token=x", "invalid_grant"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&scope=a&scope=a", "invalid_request"),
    ] {
        assert_error(&machine.send(&app, "/oauth/token", form).await, 400, error, form);
    }
    for path in ["/oauth/revoke", "/oauth/introspect"] {
        let judge = Machine::create(&app, "introspect", None).await;
        for form in ["", "token=", "token=x&token=x"] {
            assert_error(&judge.send(&app, path, form).await, 400, "invalid_request", path);
        }
    }
    let form = b"grant_type=client_credentials".as_slice();
    for media_type in ["application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded2"] {
        let answer = app.post("/oauth/token").header("Authorization", &machine.basic()).body(media_type, form);
        let answer = answer.send().await;
        assert_refused(&answer, 415, "unsupported_media_type", media_type);
        assert_eq!(answer.text("message"), "The body must be sent as application/x-www-form-urlencoded.");
    }
    let authenticated = || app.post("/oauth/token").header("Authorization", &machine.basic());
    let coded = authenticated().header("Content-Encoding", "gzip").body(FORM, form).send().await;
    assert_refused(&coded, 415, "unsupported_media_type", "compressed");
    assert_eq!(coded.text("message"), "The body must be sent without a Content-Encoding.");
    assert_eq!(coded.header("Accept-Encoding"), Some("identity"));
    let identity = authenticated().header("Content-Encoding", "identity").body(FORM, form).send().await;
    assert_eq!(identity.status, 200, "{}", identity.body);
    let twice = authenticated().header("Content-Type", FORM).body(FORM, form).send().await;
    assert_refused(&twice, 400, "malformed_request", "two types");
    let charset = authenticated().body("Application/X-WWW-Form-Urlencoded; charset=UTF-8", form).send().await;
    assert_eq!(charset.status, 200, "{}", charset.body);
    let long = vec![b'a'; 17 * 1024];
    let answer = app.post("/oauth/token").body(FORM, &long).send().await;
    assert_refused(&answer, 413, "payload_too_large", "too long");
    assert_eq!(app.get("/oauth/token").send().await.status, 405);
}

#[tokio::test]
async fn a_session_is_renewed_with_the_scopes_of_a_login() {
    let app = App::in_memory_with(&[("AUTH_USER_SCOPES", "orders:write orders:read")]).await;
    let ada = app.register("ada").await.text("Authorization");
    let verified = app.get("/auth/verify").bearer(&ada).send().await;
    assert_eq!(verified.header("X-Auth-Scope"), Some("orders:read orders:write"));
    let mut refresh_token = app.login_to_refresh("ada").await.text("refresh_token");
    for refused in ["orders:read", "admin", "orders:read+orders:write+admin", "%22"] {
        let form = format!("grant_type=refresh_token&refresh_token={refresh_token}&scope={refused}");
        assert_error(&send(&app, "/oauth/token", &form).await, 400, "invalid_scope", refused);
    }
    for scope in ["", "&scope=orders:write+orders:read"] {
        // A refused request has not used the token up.
        let form = format!("grant_type=refresh_token&refresh_token={refresh_token}{scope}");
        let answer = send(&app, "/oauth/token", &form).await;
        assert_eq!((answer.status, answer.text("scope").as_str()), (200, "orders:read orders:write"), "{scope}");
        let verified = app.get("/auth/verify").bearer(&answer.text("access_token")).send().await;
        assert_eq!(verified.header("X-Auth-Scope"), Some("orders:read orders:write"));
        refresh_token = answer.text("refresh_token");
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_ends_its_session() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let login = app.login_to_refresh("ada").await;
    let next = renew(&app, &login.text("refresh_token")).await;
    app.advance(MINUTE);
    let stolen = renew(&app, &login.text("refresh_token")).await;
    assert_error(&stolen, 400, "invalid_grant", "used again");
    let victim = renew(&app, &next.text("refresh_token")).await;
    assert_error(&victim, 400, "invalid_grant", "its session has ended");
    assert_eq!(stolen.body, victim.body, "the answer does not tell which of the two it is");
}

#[tokio::test]
async fn wrong_secrets_are_counted_and_the_right_one_passes_all_the_same() {
    let app = App::in_memory_with(&[("AUTH_THROTTLE", "on")]).await;
    let (good, other) = (Machine::create(&app, "a", None).await, Machine::create(&app, "a", None).await);
    let wrong = Machine { id: good.id, secret: other.secret.clone() };
    let mut refused = 0;
    loop {
        let answer = wrong.ask(&app).await;
        if answer.status == 429 {
            assert_error(&answer, 429, "too_many_attempts", "too many");
            break;
        }
        assert_error(&answer, 401, "invalid_client", "wrong");
        refused += 1;
        assert!(refused < 100, "the attempts are not counted");
    }
    assert_eq!(good.ask(&app).await.status, 200, "nobody can lock a client out");
    assert_eq!(other.ask(&app).await.status, 200);
    app.register("ada").await;
    app.login("ada").await;
}
