//! A gRPC service with tonic: every call needs a token, and is refused with a gRPC status.
//! `cargo run -p auth-examples --bin tonic_grpc`

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{AuthService, Context, Email, NewAccount, Password, Principal, Username};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_tower::AuthLayer;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use stubs::profile_server::{Profile, ProfileServer};

/// What build.rs writes.
#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
pub(crate) mod stubs {
    use super::{WhoAmIReply, WhoAmIRequest};

    include!(concat!(env!("OUT_DIR"), "/example.Profile.rs"));
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct WhoAmIRequest {}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct WhoAmIReply {
    #[prost(string, tag = "1")]
    pub(crate) user_id: String,
    #[prost(bool, tag = "2")]
    pub(crate) admin: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth = service()?;
    let ada = NewAccount {
        email: Email::parse("ada@example.org")?,
        username: Username::parse("ada")?,
        password: Password::parse("correct horse battery staple")?,
    };
    let registered = auth.register(ada, &Context::default()).await?;
    let session = registered.signed_in().ok_or("the address must be verified first")?;
    writeln!(std::io::stdout(), "authorization: Bearer {}", session.token.expose_token())?;
    serve(&auth, TcpIncoming::bind("127.0.0.1:50051".parse()?)?).await?;
    Ok(())
}

pub(crate) fn service() -> Result<AuthService, Box<dyn Error>> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let store = Arc::new(MemoryStore::new()?);
    Ok(AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(10)?), PoolOptions::default())?)
        .build()?)
}

// readme: tonic
pub(crate) async fn serve(auth: &AuthService, incoming: TcpIncoming) -> Result<(), tonic::transport::Error> {
    tonic::transport::Server::builder()
        .layer(AuthLayer::required(auth).grpc())
        .add_service(ProfileServer::new(Members))
        .serve_with_incoming(incoming)
        .await
}

struct Members;

#[tonic::async_trait]
impl Profile for Members {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIReply>, Status> {
        let principal = request.extensions().get::<Principal>().ok_or_else(|| Status::internal("no AuthLayer"))?;
        Ok(Response::new(WhoAmIReply { user_id: principal.user_id().to_string(), admin: principal.is_admin() }))
    }
}
// readme: end
