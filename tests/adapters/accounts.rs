//! The operations on accounts, told once: the server and the ready routes of every adapter give the same transcript.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::ManualClock;
use auth_core::memory::MemoryStore;
use auth_http::Routes;
use auth_server::app::{App, ServerStores};
use auth_server::config::{Config, Sources};
use auth_server::server::Server;
use auth_tests::{Client, Request, Response};
use serde_json::json;
use time::macros::datetime;
use tokio::net::TcpListener;

/// Headers of an answer that a transcript shows.
const SHOWN: [&str; 9] = [
    "Content-Type",
    "Cache-Control",
    "WWW-Authenticate",
    "Retry-After",
    "Allow",
    "Accept-Encoding",
    "Location",
    "X-Auth-User-Id",
    "X-Auth-Admin",
];

const PASSWORD: &str = "correct horse";

#[tokio::test]
async fn the_server_gives_the_transcript() {
    hold(async |app| {
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), app.endpoint()).await.unwrap();
        let address = server.address();
        tokio::spawn(server.run(std::future::pending(), Duration::ZERO));
        address
    })
    .await;
}

#[tokio::test]
async fn the_routes_for_axum_give_the_transcript_of_the_server() {
    hold(async |app| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes: axum::Router = auth_tower::axum::routes(routes_of(app));
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
        address
    })
    .await;
}

#[tokio::test]
async fn the_routes_for_actix_web_give_the_transcript_of_the_server() {
    hold(async |app| {
        let routes = routes_of(app);
        let app = move || actix_web::App::new().configure(auth_actix::routes(routes.clone()));
        let server = actix_web::HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        address
    })
    .await;
}

#[tokio::test]
async fn ready_routes_that_keep_no_sessions_refuse_to_open_one_that_is_renewed() {
    let auth = auth_testing::TestAuth::new().unwrap();
    let routes: axum::Router = auth_tower::axum::routes(auth.service());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap());
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "session": "refresh" });
    let answer = client.request("POST", "/auth/login").json(&body).send().await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["errors"]["session"], "'session' must be token, because no sessions are kept here");
}

/// Ready routes over the service of the server, behind the proxy that the server trusts too.
fn routes_of(app: &App) -> Routes {
    Routes::from(app.service()).trusted_proxies(|proxy| proxy.is_loopback())
}

/// Tells the whole story at what `serve` serves.
async fn hold(serve: impl AsyncFnOnce(&App) -> SocketAddr) {
    let settings = [
        ("AUTH_ENV", "test"),
        ("AUTH_TOKEN_SECRET", "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        ("AUTH_TRUSTED_PROXIES", "127.0.0.1"),
        ("AUTH_THROTTLE", "on"),
        ("AUTH_THROTTLE_FREE", "2"),
        ("AUTH_THROTTLE_REGISTRATIONS", "7"),
    ];
    let env: BTreeMap<_, _> = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
    let clock = Arc::new(ManualClock::new(datetime!(2026-01-01 00:00 UTC)));
    let store = Arc::new(MemoryStore::new().unwrap());
    let stores = ServerStores::from(store);
    let app = App::with_stores(&config, clock, stores).unwrap();
    let client = Client::new(serve(&app).await);
    let mut transcript = Transcript { client, text: String::new(), from: 1, hidden: Vec::new() };

    let ada = registrations(&mut transcript).await;
    bodies(&mut transcript).await;
    logins(&mut transcript).await;
    tokens(&mut transcript, &ada).await;
    sessions(&mut transcript).await;
    limits(&mut transcript).await;
    insta::assert_snapshot!("accounts", transcript.text);
}

async fn registrations(transcript: &mut Transcript) -> String {
    let account =
        |name: &str| json!({ "email": format!("{name}@example.com"), "username": name, "password": PASSWORD });
    transcript.chapter("Registering");
    let ada = transcript
        .post("a user", "/auth/register", |request| request.json(&account("ada")))
        .await
        .text("Authorization");
    transcript.post("at the path of the tutorial", "/user/", |request| request.json(&account("grace"))).await;
    let with_id = json!({ "email": "alan@example.com", "username": "alan", "password": PASSWORD, "public_id": 7 });
    transcript.post("without the last slash, with an id", "/user", |request| request.json(&with_id)).await;
    transcript.post("an address that is taken", "/auth/register", |request| request.json(&account("ada"))).await;
    let same_name = json!({ "email": "other@example.com", "username": "ADA", "password": PASSWORD });
    transcript.post("a name that is taken", "/user/", |request| request.json(&same_name)).await;
    transcript.next_client();
    ada
}

async fn bodies(transcript: &mut Transcript) {
    transcript.chapter("Bodies that are refused");
    let path = "/auth/register";
    transcript.post("no field", path, |request| request.json(&json!({}))).await;
    let wrong = json!({ "email": "no at sign", "username": 7, "password": "short" });
    transcript.post("wrong fields", path, |request| request.json(&wrong)).await;
    let twice = br#"{"email":"a@b.example","email":"c@d.example","username":"a","password":"correct horse"}"#;
    transcript.post("a field twice", path, |request| request.body("application/json", twice)).await;
    let name = json!({ "email": "eve@example.com", "username": "evelyn", "password": "Evelyn" });
    transcript.post("the name as the password", path, |request| request.json(&name)).await;
    transcript.post("broken JSON", path, |request| request.body("application/json", b"{\"email\":")).await;
    transcript.post("no object", path, |request| request.body("application/json", b"[]")).await;
    transcript.post("another type", path, |request| request.body("text/plain", b"{}")).await;
    transcript.post("no type", path, |request| request).await;
    let compressed = |request: Request| request.header("Content-Encoding", "gzip").body("application/json", b"{}");
    transcript.post("compressed", path, compressed).await;
    let two = |request: Request| request.header("Content-Type", "text/plain").body("application/json", b"{}");
    transcript.post("two types", path, two).await;
    // Nothing is sent that is not read: a connection that is closed over unread bytes is reset.
    let announced = |request: Request| request.header("Content-Type", "text/plain").header("Content-Length", "20000");
    transcript.post("too large", path, announced).await;
    let large = vec![b' '; auth_http::MAX_BODY_BYTES + 1];
    let chunked = [format!("{:x}\r\n", large.len()).as_bytes(), &large].concat();
    let in_chunks = |request: Request| {
        let request = request.header("Content-Type", "application/json").header("Transfer-Encoding", "chunked");
        request.without_length(&chunked)
    };
    transcript.post("too large, unannounced", path, in_chunks).await;
    transcript.post("a parameter", "/auth/register?admin=true", |request| request.json(&json!({}))).await;
    let parameter = "/auth/logout?x=1";
    transcript.post("a parameter where a token is missing", parameter, |request| request).await;
    transcript.ask("another method", "GET", "/auth/login", |request| request).await;
    transcript.ask("another method than GET", "DELETE", "/user/me/sessions", |request| request).await;
}

async fn logins(transcript: &mut Transcript) {
    transcript.chapter("Logging in");
    let path = "/auth/login";
    let right = json!({ "email": "ADA@example.com", "password": PASSWORD });
    transcript.post("right", path, |request| request.json(&right)).await;
    let wrong = json!({ "email": "ada@example.com", "password": "another horse" });
    transcript.post("a wrong password", path, |request| request.json(&wrong)).await;
    let unknown = json!({ "email": "nobody@example.com", "password": PASSWORD });
    transcript.post("an unknown address", path, |request| request.json(&unknown)).await;
    let nonsense = json!({ "email": "nobody", "password": "" });
    transcript.post("text that nobody has", path, |request| request.json(&nonsense)).await;
    transcript.post("no password", path, |request| request.json(&json!({ "email": "ada@example.com" }))).await;
    transcript.next_client();
}

async fn tokens(transcript: &mut Transcript, ada: &str) {
    transcript.chapter("Tokens");
    transcript.get("a good token", "/auth/verify", Some(ada)).await;
    transcript.get("no token", "/auth/verify", None).await;
    transcript.get("no good token", "/auth/verify", Some("a.b.c")).await;
    transcript.get("a parameter", "/auth/verify?x=1", Some(ada)).await;
    transcript.get("the user", "/user/me", Some(ada)).await;
    transcript.ask("the head alone", "HEAD", "/user/me", |request| request.bearer(ada)).await;

    let path = "/user/me/password";
    transcript.post("another password, without a token", path, |request| request.body("text/plain", b"?")).await;
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    let short = change(PASSWORD, "short");
    transcript.post("a password that is too short", path, |request| request.bearer(ada).json(&short)).await;
    let named = change(PASSWORD, "ada@example.com");
    transcript.post("the address as the password", path, |request| request.bearer(ada).json(&named)).await;
    let wrong = change("another horse", "correct battery");
    transcript.post("a wrong current password", path, |request| request.bearer(ada).json(&wrong)).await;
    let right = change(PASSWORD, "correct battery");
    let changed = transcript.post("another password", path, |request| request.bearer(ada).json(&right)).await;
    let fresh = changed.text("Authorization");
    transcript.get("the token from before", "/user/me", Some(ada)).await;

    transcript.post("a logout without a token", "/auth/logout", |request| request).await;
    transcript.post("a logout", "/auth/logout", |request| request.bearer(&fresh)).await;
    transcript.post("the logout again", "/auth/logout", |request| request.bearer(&fresh)).await;
    transcript.get("the token after the logout", "/auth/verify", Some(&fresh)).await;

    let credentials = json!({ "email": "ada@example.com", "password": "correct battery" });
    let mut devices = Vec::new();
    for device in ["a device", "another device"] {
        let login = transcript.post(device, "/auth/login", |request| request.json(&credentials)).await;
        devices.push(login.text("Authorization"));
    }
    transcript.post("out everywhere, without a token", "/auth/logout-all", |request| request).await;
    transcript.post("out everywhere", "/auth/logout-all", |request| request.bearer(&devices[0])).await;
    transcript.get("the other device", "/user/me", Some(&devices[1])).await;
}

async fn sessions(transcript: &mut Transcript) {
    transcript.chapter("Sessions");
    transcript.next_client();
    let login = |way| json!({ "email": "grace@example.com", "password": PASSWORD, "session": way });
    transcript.post("one token", "/auth/login", |request| request.json(&login("token"))).await;
    let without_text = json!({ "email": "grace@example.com", "password": PASSWORD, "session": 7 });
    transcript.post("a way that is no text", "/auth/login", |request| request.json(&without_text)).await;
    let first = transcript.post("a refresh token", "/auth/login", |request| request.json(&login("refresh"))).await;
    let account = json!({
        "email": "linus@example.com", "username": "linus", "password": PASSWORD, "session": "refresh",
    });
    transcript.post("a user with a refresh token", "/auth/register", |request| request.json(&account)).await;

    let refresh = |token: &str| json!({ "refresh_token": token });
    let (path, used) = ("/auth/refresh", first.text("refresh_token"));
    let second = transcript.post("a refresh", path, |request| request.json(&refresh(&used))).await;
    let again = transcript.post("the answer was lost", path, |request| request.json(&refresh(&used))).await;
    assert_eq!(again.text("refresh_token"), second.text("refresh_token"));
    transcript.post("no refresh token", path, |request| request.json(&json!({}))).await;
    transcript.post("no text", path, |request| request.json(&json!({ "refresh_token": null }))).await;
    transcript.post("text that is none", path, |request| request.json(&refresh("rar_"))).await;
    transcript.post("a parameter", "/auth/refresh?x=1", |request| request.json(&refresh(&used))).await;

    let token = second.text("Authorization");
    transcript.post("all other sessions", "/auth/logout-others", |request| request.bearer(&token)).await;
    transcript.post("all others, without a token", "/auth/logout-others", |request| request).await;
    let path = "/user/me/sessions";
    let listed = transcript.get("the sessions", path, Some(&token)).await;
    transcript.get("the sessions, without a token", path, None).await;
    let id = listed.json()["data"][0]["id"].as_str().unwrap().to_owned();
    for (what, id) in [("no id", "me"), ("nobody's id", "00000000-0000-4000-8000-000000000000")] {
        transcript.ask(what, "DELETE", &format!("{path}/{id}"), |request| request.bearer(&token)).await;
    }
    transcript.ask("without a token", "DELETE", &format!("{path}/{id}"), |request| request).await;
    transcript.ask("the session", "DELETE", &format!("{path}/{id}"), |request| request.bearer(&token)).await;
    transcript.get("the token afterwards", "/auth/verify", Some(&token)).await;
    let last = second.text("refresh_token");
    transcript.post("its refresh token", "/auth/refresh", |request| request.json(&refresh(&last))).await;
    transcript.next_client();
}

async fn limits(transcript: &mut Transcript) {
    transcript.chapter("Limits");
    transcript.next_client();
    let wrong = json!({ "email": "grace@example.com", "password": "another horse" });
    for guess in ["a guess", "another guess", "a guess too many"] {
        transcript.post(guess, "/auth/login", |request| request.json(&wrong)).await;
    }
    transcript.next_client();
    transcript.post("a guess from elsewhere", "/auth/login", |request| request.json(&wrong)).await;
    for number in 1..=8 {
        let name = format!("user{number}");
        let account = json!({ "email": format!("{name}@example.com"), "username": name, "password": PASSWORD });
        transcript.post(&format!("registration {number}"), "/auth/register", |request| request.json(&account)).await;
    }
    transcript.next_client();
    let account = json!({ "email": "late@example.com", "username": "late", "password": PASSWORD });
    transcript.post("a registration from elsewhere", "/auth/register", |request| request.json(&account)).await;
}

/// What was asked and answered. Tokens and ids, which are random, are replaced by numbers.
struct Transcript {
    client: Client,
    text: String,
    /// The client on whose behalf the proxy asks.
    from: u8,
    /// Random texts, in the order in which they were seen.
    hidden: Vec<String>,
}

impl Transcript {
    fn chapter(&mut self, title: &str) {
        writeln!(self.text, "# {title}\n").unwrap();
    }

    /// The next request comes from another network.
    fn next_client(&mut self) {
        self.from += 1;
    }

    async fn get(&mut self, what: &str, path: &str, token: Option<&str>) -> Response {
        let with_token = |request: Request| match token {
            Some(token) => request.bearer(token),
            None => request,
        };
        self.ask(what, "GET", path, with_token).await
    }

    async fn post(&mut self, what: &str, path: &str, with: impl FnOnce(Request) -> Request) -> Response {
        self.ask(what, "POST", path, with).await
    }

    async fn ask(&mut self, what: &str, method: &str, path: &str, with: impl FnOnce(Request) -> Request) -> Response {
        let client = format!("203.0.{}.7", self.from);
        let answer = with(self.client.request(method, path).header("X-Forwarded-For", &client)).send().await;
        let mut text = format!("{what}: {method} {path}\n{}\n", answer.status);
        for name in SHOWN {
            if let Some(value) = answer.header(name) {
                writeln!(text, "{name}: {}", sorted(name, value)).unwrap();
            }
        }
        if answer.body.is_empty() {
            text.push_str("no body\n");
        } else {
            let json = answer.json();
            self.hide(
                ["Authorization", "public_id", "user_id", "token_id", "refresh_token"]
                    .iter()
                    .filter_map(|name| json[name].as_str()),
            );
            self.hide(json["data"][0]["id"].as_str().into_iter());
            writeln!(text, "{json:#}").unwrap();
        }
        for (number, hidden) in self.hidden.iter().enumerate() {
            text = text.replace(hidden, &format!("<{number}>"));
        }
        writeln!(self.text, "{text}").unwrap();
        answer
    }

    fn hide<'v>(&mut self, values: impl Iterator<Item = &'v str>) {
        for value in values {
            if !self.hidden.iter().any(|hidden| hidden == value) {
                self.hidden.push(value.to_owned());
            }
        }
    }
}

/// The methods of an `Allow` field have no order (RFC 9110 §10.2.1).
fn sorted(name: &str, value: &str) -> String {
    if name != "Allow" {
        return value.to_owned();
    }
    let mut methods: Vec<&str> = value.split(',').map(str::trim).collect();
    methods.sort_unstable();
    methods.join(", ")
}
