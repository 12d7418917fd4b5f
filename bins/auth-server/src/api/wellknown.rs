//! The public keys (RFC 7517) and the metadata (RFC 8414) of a server. No authentication is needed.

mod metadata;

use std::sync::Arc;
use std::time::Duration;

use auth_http::{Code, ErrorAnswer};
use auth_jwt::JWKS_MEDIA_TYPE;
use poem::http::{HeaderValue, Method};
use poem::{Endpoint, EndpointExt, Request, Response, Result};

use self::metadata::Metadata;
use crate::config::Config;
use crate::http::conditional::{Document, accepts_no_kept_answer};
use crate::http::error::ApiError;
use crate::http::route::RouteTable;
use crate::http::state::State;

/// Path of the public keys.
const JWKS: &str = "/.well-known/jwks.json";

/// The documents that a server publishes without authentication.
pub(crate) struct WellKnown {
    metadata: Option<Metadata>,
    has_public_keys: bool,
    cache_control: HeaderValue,
}

impl WellKnown {
    /// Returns what a server with this configuration publishes. Metadata needs an issuer that is a URL.
    pub(crate) fn new(config: &Config, has_public_keys: bool) -> Self {
        Self {
            metadata: Metadata::new(config, has_public_keys),
            has_public_keys,
            cache_control: cache_control(config.keys.jwks_max_age),
        }
    }

    /// Answers with the public keys. A server that signs with a secret has none, and answers 404: an empty set would look like one
    /// that has lost its keys.
    ///
    /// Somebody who has a token with an unknown key asks with `Cache-Control: no-cache` (RFC 9111 §5.2.1.4), and refuses the token if the
    /// answer has not the key either.
    async fn jwks(&self, request: &Request) -> Result<Response, ApiError> {
        if !self.has_public_keys {
            return Err(Code::NotFound.into());
        }
        let is_proof = accepts_no_kept_answer(request.headers());
        let jwks = State::of(request)?.codec.jwks(is_proof).await.map_err(ErrorAnswer::unavailable)?;
        let document = Document {
            content_type: JWKS_MEDIA_TYPE,
            body: jwks.as_json(),
            entity_tag: jwks.entity_tag(),
            cache_control: self.cache_control.clone(),
        };
        Ok(document.answer(request))
    }

    /// Answers with the metadata, at the one path that belongs to the issuer.
    fn metadata(&self, request: &Request) -> Result<Response, ApiError> {
        let metadata = self.metadata.as_ref().filter(|metadata| metadata.path() == request.uri().path());
        let metadata = metadata.ok_or_else(|| ApiError::from(Code::NotFound))?;
        let document = Document {
            content_type: "application/json",
            body: metadata.json(),
            entity_tag: metadata.entity_tag(),
            cache_control: self.cache_control.clone(),
        };
        Ok(document.answer(request))
    }
}

fn cache_control(max_age: Duration) -> HeaderValue {
    let value = HeaderValue::try_from(format!("public, max-age={}", max_age.as_secs()));
    value.unwrap_or(HeaderValue::from_static("no-cache"))
}

/// Returns the routes. The metadata of an issuer with a path is below the path of that of an issuer without one.
pub(super) fn routes(well_known: &Arc<WellKnown>) -> RouteTable {
    let below = format!("{}/*issuer", metadata::PATH);
    [(JWKS, Published::Jwks), (metadata::PATH, Published::Metadata), (&below, Published::Metadata)]
        .map(|(path, what)| {
            let endpoint = PublishedEndpoint { what, well_known: Arc::clone(well_known) };
            (path.to_owned(), [(Method::GET, endpoint.boxed())].into())
        })
        .into()
}

#[derive(Clone, Copy)]
enum Published {
    Jwks,
    Metadata,
}

struct PublishedEndpoint {
    what: Published,
    well_known: Arc<WellKnown>,
}

impl Endpoint for PublishedEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(match self.what {
            Published::Jwks => self.well_known.jwks(&request).await,
            Published::Metadata => self.well_known.metadata(&request),
        }?)
    }
}
