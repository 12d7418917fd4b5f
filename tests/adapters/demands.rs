//! Doors that demand a role, scopes or a login, in every framework: who passes, and what the others are told (RFC 6750 §3).

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;

use auth_core::personal::NewPersonalToken;
use auth_core::{AuthService, Context, Credentials, Email, Grants, NewAccount, Password, TokenKind, Username};
use auth_tests::{Client, Response};
use auth_tower::{AuthLayer, GrpcRefusal, JsonRefusal, Respond};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response as Answer};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::frameworks::{listen, poem_server};
use crate::world::World;

const ROLE: &str = "/role";
const SCOPES: &str = "/scopes";
const LOGIN: &str = "/login";
const GUESTS: &str = "/guests";
const DOORS: [&str; 4] = [ROLE, SCOPES, LOGIN, GUESTS];

/// What the holder of a token is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Passes,
    NeedsRole,
    NeedsScopes,
    WrongKind,
}

use Told::{NeedsRole, NeedsScopes, Passes, WrongKind};

/// Who comes: the kind of the token, its roles and its scopes, and what is told at each of [`DOORS`].
const VISITORS: [(TokenKind, &str, &str, [Told; 4]); 9] = [
    (TokenKind::Login, "", "", [NeedsRole, NeedsScopes, Passes, NeedsRole]),
    (TokenKind::Login, "auditor", "", [NeedsRole, NeedsScopes, Passes, NeedsRole]),
    (TokenKind::Login, "auditor editor", "", [Passes, NeedsScopes, Passes, Passes]),
    (TokenKind::Login, "", "editor", [NeedsRole, NeedsScopes, Passes, NeedsRole]),
    (TokenKind::Login, "", "orders:read", [NeedsRole, NeedsScopes, Passes, NeedsRole]),
    (TokenKind::Login, "", "orders:read orders:write", [NeedsRole, Passes, Passes, NeedsRole]),
    (TokenKind::Client, "", "", [WrongKind, NeedsScopes, WrongKind, WrongKind]),
    (TokenKind::Client, "", "orders:write", [WrongKind, NeedsScopes, WrongKind, WrongKind]),
    (TokenKind::Client, "", "orders:read orders:write other", [WrongKind, Passes, WrongKind, WrongKind]),
];

/// The layer of a door.
fn layer(auth: &AuthService, path: &str) -> AuthLayer {
    match path {
        ROLE => AuthLayer::required(auth).role("editor"),
        SCOPES => AuthLayer::required(auth).scope("orders:write").scope("orders:read"),
        LOGIN => AuthLayer::required(auth).login_only(),
        GUESTS => AuthLayer::optional(auth).role("editor"),
        other => panic!("no door at {other}"),
    }
}

/// Sends every visitor to every door.
async fn hold<F: Future<Output = SocketAddr>>(
    serve: impl FnOnce(AuthService) -> F,
    assert_told: impl Fn(Told, &Response, &str),
) {
    let world = World::new();
    assert!(world.blacklist.sync_step().await.unwrap().complete);
    let client = Client::new(serve(world.service.clone()).await);
    for (kind, roles, scopes, told) in VISITORS {
        let grants = Grants { kind, roles: roles.parse().unwrap(), scopes: scopes.parse().unwrap(), extra: None };
        let token = world.token_with(grants);
        for (path, told) in DOORS.into_iter().zip(told) {
            let answer = client.get(path).bearer(&token).send().await;
            assert_told(told, &answer, &format!("{kind:?}, roles '{roles}', scopes '{scopes}' at {path}"));
        }
    }
    let token = personal_token(&world.service).await;
    for (path, told) in DOORS.into_iter().zip([Passes, NeedsScopes, WrongKind, Passes]) {
        let answer = client.get(path).bearer(&token).send().await;
        assert_told(told, &answer, &format!("a personal access token with the role, at {path}"));
    }
    let guest = client.get(GUESTS).send().await;
    assert_told(Passes, &guest, "nobody at a door for guests too");
}

/// A personal access token of an editor, which names the role.
async fn personal_token(auth: &AuthService) -> String {
    let email = Email::parse("ada@example.com").unwrap();
    let (username, password) = (Username::parse("ada").unwrap(), Password::parse("123456").unwrap());
    let account = NewAccount { email: email.clone(), username, password };
    let registered = auth.register(account, &Context::default()).await.unwrap().signed_in().unwrap();
    auth.give_role(registered.user.id, "editor".parse().unwrap()).await.unwrap();
    let credentials = Credentials { email, password: Password::parse("123456").unwrap() };
    let login = auth.login(credentials, &Context::default()).await.unwrap().signed_in().unwrap();
    let principal = auth.authenticate(login.token.expose_token()).await.unwrap();
    assert!(principal.has_role("editor"));
    let new = NewPersonalToken { name: "backup".parse().unwrap(), scopes: "editor".parse().ok(), life: None };
    let issued = auth.create_personal_token(&principal, new).await.unwrap();
    issued.secret.expose_text(str::to_owned)
}

/// The code, the message and the challenge that are due.
fn refusal(told: Told) -> Option<(&'static str, &'static str, &'static str)> {
    const CHALLENGE: &str = "Bearer realm=\"auth\", error=\"insufficient_scope\"";
    const WITH_SCOPES: &str = "Bearer realm=\"auth\", error=\"insufficient_scope\", scope=\"orders:read orders:write\"";
    match told {
        Passes => None,
        NeedsRole => Some(("role_required", "The token does not have the role that is needed.", CHALLENGE)),
        NeedsScopes => Some(("insufficient_scope", "The token does not have the scope that is needed.", WITH_SCOPES)),
        WrongKind => Some(("insufficient_scope", "The token does not have the scope that is needed.", CHALLENGE)),
    }
}

fn assert_told(told: Told, answer: &Response, case: &str) {
    let Some((code, message, challenge)) = refusal(told) else {
        assert_eq!((answer.status, answer.body.as_str()), (200, "in"), "{case}");
        return;
    };
    assert_eq!(answer.status, 403, "{case}: {}", answer.body);
    assert_eq!(answer.json(), json!({ "status": "fail", "message": message, "code": code }), "{case}");
    assert_eq!(answer.header("WWW-Authenticate"), Some(challenge), "{case}");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{case}");
}

fn assert_told_by_grpc(told: Told, answer: &Response, case: &str) {
    assert_eq!(answer.status, 200, "{case}");
    let Some((code, message, challenge)) = refusal(told) else {
        assert_eq!((answer.header("grpc-status"), answer.body.as_str()), (None, "in"), "{case}");
        return;
    };
    assert_eq!((answer.header("grpc-status"), answer.body.as_str()), (Some("7"), ""), "{case}");
    assert_eq!((answer.header("auth-code"), answer.header("grpc-message")), (Some(code), Some(message)), "{case}");
    assert_eq!(answer.header("www-authenticate"), Some(challenge), "{case}");
}

#[tokio::test]
async fn axum_keeps_demands() {
    use axum::Router;
    use axum::routing::get;

    let serve = async |auth: AuthService| {
        let app = DOORS
            .into_iter()
            .fold(Router::new(), |app, path| app.route(path, get(async || "in").layer(layer(&auth, path))));
        let (listener, address) = listen().await;
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        address
    };
    hold(serve, assert_told).await;
}

#[tokio::test]
async fn poem_keeps_demands() {
    use poem::endpoint::make_sync;
    use poem::{EndpointExt as _, Route};

    let serve = async |auth: AuthService| {
        let routes = DOORS
            .into_iter()
            .fold(Route::new(), |routes, path| routes.at(path, make_sync(|_| "in").with(layer(&auth, path))));
        poem_server(routes).await
    };
    hold(serve, assert_told).await;
}

#[tokio::test]
async fn actix_web_keeps_demands() {
    use actix_web::{App, HttpServer, web};
    use auth_actix::Auth;

    async fn enter() -> &'static str {
        "in"
    }
    let serve = async |auth: AuthService| {
        let app = move || {
            App::new()
                .service(web::resource(ROLE).wrap(Auth::required(&auth).role("editor")).get(enter))
                .service(
                    web::resource(SCOPES)
                        .wrap(Auth::required(&auth).scope("orders:write").scope("orders:read"))
                        .get(enter),
                )
                .service(web::resource(LOGIN).wrap(Auth::required(&auth).login_only()).get(enter))
                .service(web::resource(GUESTS).wrap(Auth::optional(&auth).role("editor")).get(enter))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        address
    };
    hold(serve, assert_told).await;
}

#[tokio::test]
async fn hyper_keeps_demands() {
    hold(async |auth| tower_app(auth, JsonRefusal).await, assert_told).await;
}

#[tokio::test]
async fn grpc_keeps_demands() {
    hold(async |auth| tower_app(auth, GrpcRefusal).await, assert_told_by_grpc).await;
}

/// The doors as plain tower services, whose refusals are those of `respond`.
async fn tower_app<R>(auth: AuthService, respond: R) -> SocketAddr
where
    R: Respond<Answer<Full<Bytes>>> + Clone + Send + Sync + 'static,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (auth, respond) = (auth.clone(), respond.clone());
            let doors = service_fn(move |request: Request<Incoming>| {
                let enter = service_fn(|_| ready(Ok::<_, Infallible>(Answer::new(Full::from("in")))));
                layer(&auth, request.uri().path()).respond_with(respond.clone()).layer(enter).oneshot(request)
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(doors));
            tokio::spawn(async { connection.await.unwrap() });
        }
    });
    address
}
