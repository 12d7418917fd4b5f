//! JSON request bodies.
//!
//! A body is read field by field, so that one response names every wrong field. The type that describes the body in the OpenAPI
//! document is never deserialized.

use std::future::Future;
use std::time::Duration;

use auth_http::{Code, Fields, FromFields, MAX_BODY_BYTES, declared_as_json, is_json};
use hyper::body::Bytes;
use poem::error::ReadBodyError;
use poem::http::{HeaderValue, header};
use poem::{Body, Request, RequestBody, Result};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use zeroize::Zeroizing;

use super::error::ApiError;
use super::state::State;

/// Time within which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body that was read into `T`.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body that was read into `T`, or `None` if the request has no body.
pub(crate) struct OptionalJsonBody<T>(pub(crate) Option<T>);

/// A type that is read from a JSON body, with the description of the body.
pub(crate) trait RequestObject: FromFields {
    /// The type that describes the body in the OpenAPI document.
    type Document: Type;
}

impl<T: RequestObject> Payload for JsonBody<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::Document::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::Document::register(registry);
    }
}

impl<T: RequestObject> ParsePayload for JsonBody<T> {
    const IS_REQUIRED: bool = true;

    fn from_request(request: &Request, body: &mut RequestBody) -> impl Future<Output = Result<Self>> + Send {
        let body = body.take();
        let state = State::of(request).cloned();
        async move {
            let state = state?;
            let bytes = bytes_of(body?).await?;
            // Takes the buffer over if nothing else refers to it, so that it is zeroized; copies it otherwise.
            let bytes = Zeroizing::new(Vec::from(bytes));
            let read =
                Fields::from_json(&bytes).and_then(|fields| T::from_fields(fields, state.service.password_policy()));
            Ok(Self(read.map_err(ApiError::from)?))
        }
    }
}

/// Reads a body, within the limits of size and time.
pub(crate) async fn bytes_of(body: Body) -> Result<Bytes> {
    match tokio::time::timeout(BODY_TIMEOUT, body.into_bytes_limit(MAX_BODY_BYTES)).await {
        Ok(bytes) => Ok(bytes?),
        Err(_) => Err(ApiError::from(Code::RequestTimeout).into()),
    }
}

impl<'a, T: RequestObject> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        // The length is checked before the media type: a body that is too large is reported as such, whatever its type.
        let announced = request.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            return Err(ReadBodyError::PayloadTooLarge.into());
        }
        let values = |name| request.headers().get_all(name).iter().map(HeaderValue::as_bytes);
        declared_as_json(values(header::CONTENT_TYPE), values(header::CONTENT_ENCODING)).map_err(ApiError::from)?;
        <Self as ParsePayload>::from_request(request, body).await
    }
}

impl<'a, T: RequestObject> ApiExtractor<'a> for OptionalJsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <JsonBody<T> as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        JsonBody::<T>::request_meta().map(|meta| MetaRequest { required: false, ..meta })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let mut sent = body.take()?;
        // Only reading shows that a body of an unannounced length is empty.
        if !sent.is_empty() && request.header(header::CONTENT_LENGTH).is_none() {
            sent = bytes_of(sent).await?.into();
        }
        if sent.is_empty() {
            return Ok(Self(None));
        }
        *body = RequestBody::new(sent);
        let read = <JsonBody<T> as ApiExtractor>::from_request(request, body, options).await?;
        Ok(Self(Some(read.0)))
    }
}
