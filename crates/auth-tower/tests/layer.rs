//! What a layer does to the service behind it and to the request on its way. What comes out over a socket is tested in the
//! workspace's `tests/adapters`, for all frameworks alike.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::convert::Infallible;
use std::error::Error as _;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{Standing, UnsyncedBlacklist};
use auth_core::memory::MemoryStore;
use auth_core::{
    Blacklist, Claims, Clock as _, Generation, Principal, RefreshToken, Revocation, SessionId, StoreError, SystemClock,
    TokenCodec as _, TokenId, TokenVerifier, UserId,
};
use auth_http::{AllowedOrigins, CookieAuth, Refusal, RefusalKind, SessionCookie};
use auth_jwt::{JwtCodec, SigningKey};
use auth_tower::{AuthLayer, Rejection};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

/// A blacklist that knows all from memory, or can tell nothing.
#[derive(Debug)]
struct Memory {
    standing: Standing,
}

#[async_trait]
impl Blacklist for Memory {
    fn peek(&self, _: &Claims) -> Standing {
        self.standing
    }

    async fn look_up(&self, _: &Claims) -> Result<bool, StoreError> {
        Err(StoreError::unavailable("host db7 does not answer"))
    }

    async fn revoke(&self, _: Revocation) -> Result<(), StoreError> {
        Ok(())
    }

    fn note(&self, _: &Revocation) {}
}

fn codec() -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")
}

fn verifier(blacklist: impl Blacklist + 'static) -> TokenVerifier {
    TokenVerifier::new(Arc::new(codec()), Arc::new(blacklist), Arc::new(SystemClock))
}

fn from_memory() -> TokenVerifier {
    verifier(Memory { standing: Standing::Good })
}

fn from_the_log() -> TokenVerifier {
    verifier(UnsyncedBlacklist::new(Arc::new(MemoryStore::new().unwrap())))
}

fn request(admin: bool) -> Request<()> {
    let now = SystemClock.now();
    let claims = Claims {
        user_id: UserId::generate(now).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at: now,
        expires_at: now + Duration::from_secs(60),
        generation: Generation::default(),
        admin,
        key_id: None,
        grants: None,
    };
    let token = codec().encode(&claims).unwrap();
    Request::builder().header(AUTHORIZATION, format!("Bearer {}", token.expose_token())).body(()).unwrap()
}

/// Answers with what the request looks like when it is printed; must be polled until ready before every call.
#[derive(Default)]
struct Strict {
    ready: bool,
    clones: Option<()>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        assert!(self.clones.is_some(), "nothing is cloned while memory answers");
        Self { ready: false, clones: self.clones }
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "the service that was polled until ready is the one that is called");
        assert!(request.extensions().get::<Principal>().is_some());
        ready(Ok(Response::new(format!("{:?}", request.headers()))))
    }
}

#[tokio::test]
async fn a_service_is_not_cloned_while_memory_answers() {
    let service = AuthLayer::required(from_memory()).layer(Strict::default());
    assert_eq!(service.oneshot(request(false)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_service_that_was_ready_is_called_after_the_log_was_asked() {
    let mut service = AuthLayer::required(from_the_log()).layer(Strict { ready: false, clones: Some(()) });
    for _ in 0..3 {
        assert_eq!(service.ready().await.unwrap().call(request(false)).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_printed_request_shows_no_token() {
    for verifier in [from_memory(), from_the_log()] {
        let service = AuthLayer::required(verifier).layer(Strict { ready: false, clones: Some(()) });
        let printed = service.oneshot(request(false)).await.unwrap().into_body();
        assert_eq!(printed, "{\"authorization\": Sensitive}");
    }
}

#[tokio::test]
async fn a_printed_request_shows_no_cookie() {
    let refresh = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
    for verifier in [from_memory(), from_the_log()] {
        let layer = AuthLayer::required(verifier);
        let layer = layer.cookies(CookieAuth::new(SessionCookie::Secure, AllowedOrigins::default()));
        let bearer = request(false);
        let token = bearer.headers()[AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ");
        let cookie = refresh.expose_text(|refresh| format!("__Host-auth={token}~{refresh}"));
        let request = Request::builder().header(COOKIE, cookie).body(()).unwrap();
        let printed = layer.layer(Strict { ready: false, clones: Some(()) }).oneshot(request).await.unwrap();
        assert_eq!(printed.into_body(), "{\"cookie\": Sensitive}");
    }
}

#[tokio::test]
async fn a_body_of_the_applications_keeps_the_headers_and_the_cause() {
    let layer = AuthLayer::required(verifier(Memory { standing: Standing::Unknown }));
    let layer = layer.respond_with(|rejection: &Rejection| rejection.response(format!("sorry: {rejection}")));
    let answer = layer.layer(Strict { ready: false, clones: Some(()) }).oneshot(request(false)).await.unwrap();
    let due = |headers: &HeaderMap| headers.contains_key(RETRY_AFTER) && headers[CACHE_CONTROL] == "no-store";
    assert!(answer.status() == 503 && due(answer.headers()));
    let refusal = answer.extensions().get::<Refusal>().unwrap();
    assert_eq!(refusal.kind(), RefusalKind::Unavailable);
    let store = refusal.source().and_then(std::error::Error::source).unwrap();
    assert_eq!(store.source().unwrap().to_string(), "host db7 does not answer");
    assert_eq!(answer.into_body(), format!("sorry: {}", RefusalKind::Unavailable.message()));
}

#[tokio::test]
async fn nobody_is_somebody_elses_principal_where_layers_are_stacked() {
    let seen = service_fn(|request: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(format!("{:?}", request.extensions().get::<Principal>().is_some()))))
    });
    // Between the two layers the header is taken away.
    let inner = AuthLayer::optional(from_memory()).layer(seen);
    let between = service_fn(move |mut request: Request<()>| {
        request.headers_mut().remove(AUTHORIZATION);
        inner.clone().oneshot(request)
    });
    let outer = AuthLayer::required(from_memory()).layer(between);
    assert_eq!(outer.oneshot(request(false)).await.unwrap().into_body(), "false");
}

#[tokio::test]
async fn a_grpc_refusal_is_a_status_in_headers_with_status_200() {
    let answer = |layer: AuthLayer, request: Request<()>| {
        let service = Strict { ready: false, clones: Some(()) };
        layer.grpc().layer(service).oneshot(request)
    };
    let refused = answer(AuthLayer::required(from_memory()), Request::new(())).await.unwrap();
    let headers = refused.headers();
    assert_eq!(refused.status(), 200);
    assert_eq!(
        (&headers["grpc-status"], &headers[CONTENT_TYPE]),
        (&"16".parse().unwrap(), &"application/grpc".parse().unwrap())
    );
    assert_eq!(headers["auth-code"], "token_missing");
    assert!(headers.contains_key(WWW_AUTHENTICATE) && refused.body().is_empty());

    let refused = answer(AuthLayer::admin(from_memory()), request(false)).await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "7");
    let unknown = AuthLayer::required(verifier(Memory { standing: Standing::Unknown }));
    let refused = answer(unknown, request(false)).await.unwrap();
    assert_eq!(
        (&refused.headers()["grpc-status"], &refused.headers()["grpc-retry-pushback-ms"]),
        (&14.into(), &2000.into())
    );
    assert_eq!(
        answer(AuthLayer::admin(from_memory()), request(true)).await.unwrap().headers().get("grpc-status"),
        None
    );
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn an_extractor_without_a_layer_lets_nobody_in() {
    use auth_tower::axum::{Admin, Authenticated};
    use axum::{Router, body::Body, routing::get};

    async fn handler(_: Authenticated) {}
    async fn visitor(_: Option<Authenticated>) {}
    async fn admin(_: Admin) {}
    let app: Router = Router::new().route("/one", get(handler)).route("/two", get(visitor)).route("/three", get(admin));
    for path in ["/one", "/two", "/three"] {
        let (mut parts, ()) = request(true).into_parts();
        parts.uri = path.parse().unwrap();
        let answer = app.clone().oneshot(Request::from_parts(parts, Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 500, "{path}");
        let cause = answer.extensions().get::<Refusal>().unwrap().source().unwrap().to_string();
        assert_eq!(cause, "no AuthLayer stands before this route");
    }
}
