//! A refusal as a gRPC status.

use auth_http::{Refusal, RefusalKind};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};

use crate::rejection::{Rejection, Respond, challenge};

/// Answers with a gRPC status and no message ("Trailers-Only"), HTTP status 200, as "gRPC over HTTP2" in gRPC's own documents
/// asks for. `grpc-retry-pushback-ms` is from its proposal A6, "gRPC Retry Design"; milliseconds.
///
/// | refusal | `grpc-status` |
/// |---|---|
/// | token missing, invalid, expired or revoked | 16 `UNAUTHENTICATED` |
/// | not an admin, without the role or the scope, or of a kind that is not admitted | 7 `PERMISSION_DENIED` |
/// | nobody can tell right now | 14 `UNAVAILABLE`, with `grpc-retry-pushback-ms` |
/// | a mistake of the application | 13 `INTERNAL` |
///
/// `grpc-message` is the sentence for people. The metadata `auth-code` carries the stable word ([`RefusalKind::code`]), by
/// which a client tells an expired token from a revoked one, and `www-authenticate` the challenge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GrpcRefusal;

impl<B: Default> Respond<Response<B>> for GrpcRefusal {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        let kind = rejection.kind();
        let mut response = Response::new(B::default());
        response.extensions_mut().insert(Refusal::clone(rejection.refusal()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", status(kind).into());
        headers.insert("grpc-message", HeaderValue::from_static(kind.message()));
        headers.insert("auth-code", HeaderValue::from_static(kind.code()));
        if let Some(challenge) = challenge(rejection.refusal()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = kind.retry_after() {
            headers.insert("grpc-retry-pushback-ms", (after.as_secs() * 1000).into());
        }
        response
    }
}

fn status(kind: RefusalKind) -> u16 {
    const PERMISSION_DENIED: u16 = 7;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match kind {
        RefusalKind::TokenMissing
        | RefusalKind::TokenInvalid
        | RefusalKind::TokenExpired
        | RefusalKind::TokenRevoked => UNAUTHENTICATED,
        RefusalKind::AdminRequired | RefusalKind::InsufficientScope | RefusalKind::RoleRequired | RefusalKind::Csrf => {
            PERMISSION_DENIED
        }
        RefusalKind::Unavailable => UNAVAILABLE,
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_text_that_needs_no_escape() {
        // gRPC over HTTP/2: all but printable ASCII, and `%`, is percent-encoded.
        for kind in RefusalKind::ALL {
            assert!(kind.message().bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'%'), "{kind:?}");
        }
    }
}
