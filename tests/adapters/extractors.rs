//! What extractors refuse behind a layer: the application's own answer, as for what the layer itself refuses.

use std::net::SocketAddr;

use auth_core::{AuthService, Grants, TokenKind};
use auth_tests::{Client, Request};
use tokio::net::TcpListener;

use crate::world::{Tokens, World};

/// Scope of the door that admits the tokens of clients too.
const SCOPE: &str = "reports:read";

#[tokio::test]
async fn axum_extractors_answer_as_the_layer_is_told_to() {
    use auth_tower::axum::{Admin, CurrentUser};
    use auth_tower::{AuthLayer, Rejection};
    use axum::body::Body;
    use axum::response::Response;
    use axum::{Router, routing::get};

    async fn me(CurrentUser(user): CurrentUser) -> String {
        user.username.to_string()
    }
    async fn admin(_: Admin) {}
    fn respond(rejection: &Rejection) -> Response {
        rejection.response(Body::from(format!("sorry: {}", rejection.kind().code())))
    }
    hold(async |auth| {
        let layer = AuthLayer::optional(&auth).respond_with(respond);
        let scoped = AuthLayer::required(&auth).scope(SCOPE).respond_with(respond);
        let app = Router::new().route("/me", get(me)).route("/admin", get(admin)).layer(layer);
        let app = app.route("/scoped", get(me).layer(scoped)).with_state(auth);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        address
    })
    .await;
}

#[tokio::test]
async fn actix_web_extractors_answer_as_the_middleware_is_told_to() {
    use actix_web::web::{self, Data};
    use actix_web::{App, HttpResponse, HttpServer};
    use auth_actix::{Admin, Auth, CurrentUser, Rejection};

    async fn me(CurrentUser(user): CurrentUser) -> String {
        user.username.to_string()
    }
    async fn admin(_: Admin) -> &'static str {
        ""
    }
    fn respond(rejection: &Rejection) -> HttpResponse {
        rejection.response().body(format!("sorry: {}", rejection.kind().code()))
    }
    hold(async |auth| {
        let app = move || {
            App::new()
                .app_data(Data::new(auth.clone()))
                .service(
                    web::resource("/scoped").wrap(Auth::required(&auth).scope(SCOPE).respond_with(respond)).get(me),
                )
                .service(
                    web::scope("")
                        .wrap(Auth::optional(&auth).respond_with(respond))
                        .route("/me", web::get().to(me))
                        .route("/admin", web::get().to(admin)),
                )
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        address
    })
    .await;
}

async fn hold(serve: impl AsyncFnOnce(AuthService) -> SocketAddr) {
    let world = World::new();
    let tokens = Tokens::of(&world.service, &world).await;
    let client = Client::new(serve(world.service.clone()).await);
    let ask = async |path: &str, token: Option<&str>| {
        let request = client.get(path);
        let request = token.into_iter().fold(request, Request::bearer);
        let answer = request.send().await;
        (answer.status, answer.header("WWW-Authenticate").is_some(), answer.body)
    };
    let refused = |status, code: &str| (status, true, format!("sorry: {code}"));
    let (user, stranger) = (&tokens.user.token, world.token_of_nobody());

    assert_eq!(ask("/me", Some(user)).await, (200, false, "ada".to_owned()));
    assert_eq!(ask("/me", None).await, refused(401, "token_missing"));
    assert_eq!(ask("/me", Some("a.b.c")).await, refused(401, "token_invalid"), "by the layer");
    assert_eq!(ask("/me", Some(&stranger)).await, refused(401, "token_invalid"), "there is no such user");
    let with_scope = |kind| world.token_with(Grants { kind, scopes: SCOPE.parse().unwrap(), ..Grants::default() });
    let (login, machine) = (with_scope(TokenKind::Login), with_scope(TokenKind::Client));
    assert_eq!(ask("/me", Some(&machine)).await, refused(403, "insufficient_scope"), "by the layer");
    assert_eq!(ask("/scoped", Some(&machine)).await, refused(403, "insufficient_scope"), "a client is no user");
    assert_eq!(ask("/scoped", Some(&login)).await, refused(401, "token_invalid"), "there is no such user");
    assert_eq!(ask("/admin", Some(user)).await, refused(403, "admin_required"));
    assert_eq!(ask("/admin", None).await, refused(401, "token_missing"));
}
