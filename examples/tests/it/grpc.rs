//! The tonic example, asked by a tonic client: every refusal and its gRPC status.

use auth_http::RefusalKind;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::register;
use crate::tonic_grpc::stubs::profile_client::ProfileClient;
use crate::tonic_grpc::{self, WhoAmIReply, WhoAmIRequest};

async fn who_am_i(client: &mut ProfileClient<Channel>, authorization: &[&str]) -> Result<WhoAmIReply, Status> {
    let mut request = Request::new(WhoAmIRequest {});
    for value in authorization {
        let value: MetadataValue<Ascii> = value.parse().unwrap();
        request.metadata_mut().append("authorization", value);
    }
    client.who_am_i(request).await.map(tonic::Response::into_inner)
}

fn assert_refused(answer: Result<WhoAmIReply, Status>, code: Code, kind: RefusalKind) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, kind.message()));
    assert_eq!(status.metadata().get("auth-code").unwrap(), kind.code());
    let challenge = status.metadata().get("www-authenticate").map(|value| value.to_str().unwrap());
    assert_eq!(challenge, kind.challenge());
}

#[tokio::test]
async fn a_call_is_answered_or_refused_with_a_grpc_status() {
    let auth = tonic_grpc::service().unwrap();
    let session = register(&auth, "ada").await;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let serving = auth.clone();
    tokio::spawn(async move { tonic_grpc::serve(&serving, incoming).await.unwrap() });
    let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = ProfileClient::new(channel);

    let good = format!("Bearer {}", session.token.expose_token());
    let reply = who_am_i(&mut client, &[&good]).await.unwrap();
    assert_eq!((reply.user_id, reply.admin), (session.user.id.to_string(), false));
    let lower = format!("bearer {}", session.token.expose_token());
    assert!(who_am_i(&mut client, &[&lower]).await.is_ok());

    assert_refused(who_am_i(&mut client, &[]).await, Code::Unauthenticated, RefusalKind::TokenMissing);
    for wrong in [vec!["Bearer a.b.c"], vec!["Basic YWRhOjEyMzQ1Ng=="], vec![good.as_str(), good.as_str()]] {
        assert_refused(who_am_i(&mut client, &wrong).await, Code::Unauthenticated, RefusalKind::TokenInvalid);
    }
    auth.logout(&auth.authenticate(session.token.expose_token()).await.unwrap()).await.unwrap();
    assert_refused(who_am_i(&mut client, &[&good]).await, Code::Unauthenticated, RefusalKind::TokenRevoked);
}
