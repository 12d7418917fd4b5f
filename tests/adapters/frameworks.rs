//! A tiny app with three doors in each framework.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use auth_core::{AuthService, Principal};
use auth_tower::AuthLayer;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::cookies::cookie_auth;
use crate::expectations::hold;
use crate::world::World;

#[tokio::test]
async fn axum_keeps_the_expectations() {
    hold(|world| axum_app(world.service.clone(), Arc::clone(&world.visits))).await;
}

async fn axum_app(auth: AuthService, visits: Arc<AtomicUsize>) -> SocketAddr {
    use auth_tower::axum::{Admin, Authenticated};
    use axum::Router;
    use axum::extract::State;
    use axum::routing::{any, get};

    type Visits = State<Arc<AtomicUsize>>;
    async fn required(State(visits): Visits, Authenticated(principal): Authenticated) -> String {
        World::visit(&visits, Some(&principal))
    }
    async fn optional(State(visits): Visits, visitor: Option<Authenticated>) -> String {
        World::visit(&visits, visitor.as_ref().map(|Authenticated(principal)| principal))
    }
    async fn admin(State(visits): Visits, Admin(principal): Admin) -> String {
        World::visit(&visits, Some(&principal))
    }
    let app = Router::new()
        .route("/required", any(required).layer(AuthLayer::required(&auth).cookies(cookie_auth())))
        .route("/optional", get(optional).layer(AuthLayer::optional(&auth).cookies(cookie_auth())))
        .route("/admin", get(admin).layer(AuthLayer::admin(&auth).cookies(cookie_auth())))
        .with_state(visits);
    let (listener, address) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

#[tokio::test]
async fn axum_extractors_alone_keep_the_expectations_behind_an_optional_layer() {
    hold(|world| axum_extractors(world.service.clone(), Arc::clone(&world.visits))).await;
}

/// One layer for all routes; the extractors say what each of them needs.
async fn axum_extractors(auth: AuthService, visits: Arc<AtomicUsize>) -> SocketAddr {
    use auth_tower::axum::{Admin, Authenticated};
    use axum::Router;
    use axum::routing::{any, get};

    let [at_required, at_optional, at_admin] = [(); 3].map(|()| Arc::clone(&visits));
    let app = Router::new()
        .route("/required", any(async move |visitor: Authenticated| World::visit(&at_required, Some(&visitor.0))))
        .route(
            "/optional",
            get(async move |visitor: Option<Authenticated>| {
                World::visit(&at_optional, visitor.map(|visitor| visitor.0).as_ref())
            }),
        )
        .route("/admin", get(async move |visitor: Admin| World::visit(&at_admin, Some(&visitor.0))))
        .layer(AuthLayer::optional(&auth).cookies(cookie_auth()));
    let (listener, address) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

#[tokio::test]
async fn hyper_keeps_the_expectations() {
    hold(|world| hyper_app(world.service.clone(), Arc::clone(&world.visits))).await;
}

async fn hyper_app(auth: AuthService, visits: Arc<AtomicUsize>) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (auth, visits) = (auth.clone(), Arc::clone(&visits));
            let doors = service_fn(move |request: Request<hyper::body::Incoming>| {
                let handler = handler(Arc::clone(&visits));
                let layer = match request.uri().path() {
                    "/required" => AuthLayer::required(&auth).cookies(cookie_auth()),
                    "/optional" => AuthLayer::optional(&auth).cookies(cookie_auth()),
                    "/admin" => AuthLayer::admin(&auth).cookies(cookie_auth()),
                    other => panic!("no door at {other}"),
                };
                layer.layer(handler).oneshot(request)
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(doors));
            tokio::spawn(async { connection.await.unwrap() });
        }
    });
    address
}

/// A handler that is a plain tower service over any request body.
fn handler<B: Send + 'static>(
    visits: Arc<AtomicUsize>,
) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send + Sync
{
    service_fn(move |request: Request<B>| {
        let text = World::visit(&visits, request.extensions().get::<Principal>());
        ready(Ok(Response::new(Full::from(text))))
    })
}

#[tokio::test]
async fn poem_keeps_the_expectations() {
    hold(|world| poem_app(world.service.clone(), Arc::clone(&world.visits))).await;
}

async fn poem_app(auth: AuthService, visits: Arc<AtomicUsize>) -> SocketAddr {
    use poem::{EndpointExt as _, Request, Route, endpoint::make_sync};

    let door = || {
        let visits = Arc::clone(&visits);
        make_sync(move |request: Request| World::visit(&visits, request.extensions().get::<Principal>()))
    };
    let routes = Route::new()
        .at("/required", door().with(AuthLayer::required(&auth).cookies(cookie_auth())))
        .at("/optional", door().with(AuthLayer::optional(&auth).cookies(cookie_auth())))
        .at("/admin", door().with(AuthLayer::admin(&auth).cookies(cookie_auth())));
    poem_server(routes).await
}

#[tokio::test]
async fn poem_through_tower_keeps_the_expectations() {
    hold(|world| poem_through_tower(world.service.clone(), Arc::clone(&world.visits))).await;
}

async fn poem_through_tower(auth: AuthService, visits: Arc<AtomicUsize>) -> SocketAddr {
    use poem::Route;
    use poem::endpoint::TowerCompatExt as _;

    let door = |layer: AuthLayer| layer.layer(handler(Arc::clone(&visits))).compat();
    let routes = Route::new()
        .at("/required", door(AuthLayer::required(&auth).cookies(cookie_auth())))
        .at("/optional", door(AuthLayer::optional(&auth).cookies(cookie_auth())))
        .at("/admin", door(AuthLayer::admin(&auth).cookies(cookie_auth())));
    poem_server(routes).await
}

pub(crate) async fn poem_server(routes: poem::Route) -> SocketAddr {
    use poem::listener::{Acceptor as _, Listener as _, TcpListener};

    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    tokio::spawn(async { poem::Server::new_with_acceptor(acceptor).run(routes).await.unwrap() });
    address
}

#[tokio::test]
async fn actix_web_keeps_the_expectations() {
    hold(|world| ready(actix_app(world.service.clone(), Arc::clone(&world.visits)))).await;
}

fn actix_app(auth: AuthService, visits: Arc<AtomicUsize>) -> SocketAddr {
    use actix_web::web::{self, Data};
    use actix_web::{App, HttpServer};
    use auth_actix::{Admin, Auth, Authenticated};

    type Visits = Data<AtomicUsize>;
    async fn required(visits: Visits, Authenticated(principal): Authenticated) -> String {
        World::visit(&visits, Some(&principal))
    }
    async fn optional(visits: Visits, visitor: Option<Authenticated>) -> String {
        World::visit(&visits, visitor.as_ref().map(|Authenticated(principal)| principal))
    }
    async fn admin(visits: Visits, Admin(principal): Admin) -> String {
        World::visit(&visits, Some(&principal))
    }
    let app = move || {
        App::new()
            .app_data(Data::from(Arc::clone(&visits)))
            .service(web::resource("/required").wrap(Auth::required(&auth).cookies(cookie_auth())).to(required))
            .service(web::resource("/optional").wrap(Auth::optional(&auth).cookies(cookie_auth())).get(optional))
            .service(web::resource("/admin").wrap(Auth::admin(&auth).cookies(cookie_auth())).get(admin))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
