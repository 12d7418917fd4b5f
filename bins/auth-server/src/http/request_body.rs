//! JSON request bodies.
//!
//! A body is read field by field, so that one response names every wrong field. The type that describes the body in the OpenAPI
//! document is never deserialized.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use auth_core::PasswordPolicy;
use poem::error::ReadBodyError;
use poem::{Request, RequestBody, Result};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::code::Code;
use super::error::{ApiError, FieldErrors};
use super::media_type::{declared_as_json, is_json};
use super::state::State;

/// Largest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// Time within which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body that was read into `T`.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body that was read into `T`, or `None` if the request has no body.
pub(crate) struct OptionalJsonBody<T>(pub(crate) Option<T>);

/// A type that is read from the fields of a JSON body.
pub(crate) trait FromFields: Sized + Send {
    /// The type that describes the body in the OpenAPI document.
    type Document: Type;

    /// Reads the fields. A new password must satisfy `policy`.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`] with every wrong field.
    fn from_fields(fields: Fields, policy: &PasswordPolicy) -> Result<Self, ApiError>;
}

/// The members of a JSON object and the errors found in them. All strings are zeroized on drop.
pub(crate) struct Fields {
    members: Members,
    errors: FieldErrors,
}

impl Fields {
    /// Parses a body.
    ///
    /// # Errors
    ///
    /// [`Code::MalformedRequest`] if it is not a JSON object.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        // The parser's own message may quote the body.
        match serde_json::from_slice(body) {
            Ok(members) => Ok(Self { members, errors: FieldErrors::new() }),
            Err(error) if error.is_data() => Err(ApiError::malformed("The body must be a JSON object.")),
            Err(_) => Err(ApiError::malformed("The body is not valid JSON.")),
        }
    }

    /// Parses the string of this name. Returns `None` and notes the error if it is absent, no string, repeated, or refused by
    /// `parse`, whose error continues the sentence that the name of the field begins.
    pub(crate) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let error = match self.members.values.get(name) {
            Some(_) if self.members.repeated.contains(name) => format!("'{name}' is given more than once"),
            Some(Value::String(text)) => match parse(text) {
                Ok(value) => return Some(value),
                Err(rule) => format!("'{name}' {rule}"),
            },
            Some(_) => format!("'{name}' is not of type 'string'"),
            None => format!("'{name}' is a required property"),
        };
        self.errors.insert(name.to_owned(), error);
        None
    }

    /// As [`parsed`](Self::parsed), but an absent string is `default` and no error.
    pub(crate) fn parsed_or<T, E: fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.members.values.contains_key(name) { self.parsed(name, parse) } else { Some(default) }
    }

    /// Returns the error that names every field of which [`parsed`](Self::parsed) noted one.
    pub(crate) fn into_error(mut self) -> ApiError {
        ApiError::validation(std::mem::take(&mut self.errors))
    }
}

/// The members of a JSON object, with the names that occur more than once. Parsers differ in which of the values they use
/// (RFC 8259 §4), so a proxy may have read another one than this server.
#[derive(Default)]
struct Members {
    values: Map<String, Value>,
    repeated: BTreeSet<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if let Some(mut earlier) = members.values.insert(name.clone(), value) {
                erase(&mut earlier);
                members.repeated.insert(name);
            }
        }
        Ok(members)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.values.values_mut().for_each(erase);
    }
}

fn erase(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(erase),
        Value::Object(members) => members.values_mut().for_each(erase),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl<T: FromFields> Payload for JsonBody<T> {
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

impl<T: FromFields> ParsePayload for JsonBody<T> {
    const IS_REQUIRED: bool = true;

    fn from_request(request: &Request, body: &mut RequestBody) -> impl Future<Output = Result<Self>> + Send {
        let body = body.take();
        let state = State::of(request).cloned();
        async move {
            let state = state?;
            let bytes = match tokio::time::timeout(BODY_TIMEOUT, body?.into_bytes_limit(MAX_BODY_BYTES)).await {
                Ok(bytes) => bytes?,
                Err(_) => return Err(ApiError::new(Code::RequestTimeout).into()),
            };
            // Takes the buffer over if nothing else refers to it, so that it is zeroized; copies it otherwise.
            let bytes = Zeroizing::new(Vec::from(bytes));
            Ok(Self(T::from_fields(Fields::from_json(&bytes)?, state.service.password_policy())?))
        }
    }
}

impl<'a, T: FromFields> ApiExtractor<'a> for JsonBody<T> {
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
        declared_as_json(request.headers())?;
        <Self as ParsePayload>::from_request(request, body).await
    }
}

impl<'a, T: FromFields> ApiExtractor<'a> for OptionalJsonBody<T> {
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
        let sent = body.take()?;
        if sent.is_empty() {
            return Ok(Self(None));
        }
        *body = RequestBody::new(sent);
        let read = <JsonBody<T> as ApiExtractor>::from_request(request, body, options).await?;
        Ok(Self(Some(read.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deeply_nested_body_is_refused_without_recursion() {
        let deep = "[".repeat(8_000);
        assert_eq!(Fields::from_json(deep.as_bytes()).err().map(|error| error.code), Some(Code::MalformedRequest));
        for odd in ["", "null", "[]", "\"a\"", "{\"email\": NaN}", "{\"email\": 1e999}", "{} {}", "\u{feff}{}"] {
            assert_eq!(
                Fields::from_json(odd.as_bytes()).err().map(|error| error.code),
                Some(Code::MalformedRequest),
                "{odd}"
            );
        }
    }
}
