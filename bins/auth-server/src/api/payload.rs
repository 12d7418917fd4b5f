//! Request bodies. They are read field by field, so that an answer can name everything that is wrong with them; the
//! document shows the typed schema.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use auth_core::password::policy::Owner;
use auth_core::{Credentials, Email, NewAccount, Password, PasswordPolicy, Username};
use poem::error::ReadBodyError;
use poem::{Request, RequestBody, Result};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::State;
use super::dto::{ChangePasswordRequest, LoginRequest, RegisterRequest};
use super::error::{Code, Failure, FieldErrors};
use super::media_type::{declared_as_json, is_json};

/// The largest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body that was read into `T`.
pub struct Body<T>(pub T);

/// What can be read from the fields of a body.
pub trait FromFields: Sized + Send {
    /// The type that the document shows.
    type Document: Type;

    /// Reads the fields, noting everything that is wrong. What a new password must be is said by `policy`.
    ///
    /// # Errors
    ///
    /// When something is.
    fn from_fields(fields: Fields, policy: &PasswordPolicy) -> Result<Self, Failure>;
}

impl FromFields for NewAccount {
    type Document = RegisterRequest;

    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, Failure> {
        let email = fields.parsed("email", Email::parse);
        let username = fields.parsed("username", Username::parse);
        let owner = Owner { email: email.as_ref(), username: username.as_ref() };
        let password = fields.parsed("password", |text| {
            let password = Password::parse(text)?;
            policy.check(&password, owner).map(|()| password)
        });
        match (email, username, password) {
            (Some(email), Some(username), Some(password)) => Ok(Self { email, username, password }),
            _ => Err(fields.failure()),
        }
    }
}

impl FromFields for Credentials {
    type Document = LoginRequest;

    /// A text that cannot be an e-mail address, or a password, is nobody's: the answer is that of an unknown user and
    /// not a lesson in syntax.
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, Failure> {
        let email = fields.parsed("email", |text| Ok::<_, &str>(Email::parse(text).ok()));
        let password = fields.parsed("password", |text| Ok::<_, &str>(Password::parse(text).ok()));
        match (email, password) {
            (Some(Some(email)), Some(Some(password))) => Ok(Self { email, password }),
            (Some(_), Some(_)) => Err(Failure::new(Code::InvalidCredentials)),
            _ => Err(fields.failure()),
        }
    }
}

/// The current password of a user and the one that is to be.
pub struct PasswordChange {
    /// The current one. `None` is a text that no account has for a password.
    pub current: Option<Password>,
    /// The one that is to be.
    pub new: Password,
}

impl FromFields for PasswordChange {
    type Document = ChangePasswordRequest;

    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, Failure> {
        let current = fields.parsed("current_password", |text| Ok::<_, &str>(Password::parse(text).ok()));
        let new = fields.parsed("new_password", |text| {
            let password = Password::parse(text)?;
            // Whose it is to be is known once the user has been read.
            policy.check(&password, Owner::default()).map(|()| password)
        });
        match (current, new) {
            (Some(current), Some(new)) => Ok(Self { current, new }),
            _ => Err(fields.failure()),
        }
    }
}

/// The members of a JSON object, and what was found to be wrong with them. Texts are erased when it is dropped.
pub struct Fields {
    members: Members,
    errors: FieldErrors,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// When it is no JSON object.
    pub fn from_json(body: &[u8]) -> Result<Self, Failure> {
        // Not the parser's own message, which may quote what it stumbled over.
        match serde_json::from_slice(body) {
            Ok(members) => Ok(Self { members, errors: FieldErrors::new() }),
            Err(error) if error.is_data() => Err(Failure::malformed("The body must be a JSON object.")),
            Err(_) => Err(Failure::malformed("The body is not valid JSON.")),
        }
    }

    fn parsed<T, E: fmt::Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
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

    fn failure(mut self) -> Failure {
        Failure::validation(std::mem::take(&mut self.errors))
    }
}

/// A JSON object that remembers which names it gives more than once. Parsers differ in which of the values they take
/// (RFC 8259 §4), so whoever stands in front of us may have read another one than we would.
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

impl<T: FromFields> Payload for Body<T> {
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

impl<T: FromFields> ParsePayload for Body<T> {
    const IS_REQUIRED: bool = true;

    fn from_request(request: &Request, body: &mut RequestBody) -> impl Future<Output = Result<Self>> + Send {
        let body = body.take();
        let state = State::of(request).cloned();
        async move {
            let state = state?;
            let bytes = match tokio::time::timeout(BODY_TIMEOUT, body?.into_bytes_limit(MAX_BODY_BYTES)).await {
                Ok(bytes) => bytes?,
                Err(_) => return Err(Failure::too_slow().into()),
            };
            // Where this is the only handle of the buffer, it is erased too.
            let bytes = Zeroizing::new(Vec::from(bytes));
            Ok(Self(T::from_fields(Fields::from_json(&bytes)?, state.service.password_policy())?))
        }
    }
}

impl<'a, T: FromFields> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<poem_openapi::registry::MetaRequest> {
        Some(poem_openapi::registry::MetaRequest {
            description: None,
            content: vec![poem_openapi::registry::MetaMediaType {
                content_type: Self::CONTENT_TYPE,
                schema: Self::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        // The length first: a client that announces too much is told so whatever it calls it.
        let announced = request.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            return Err(ReadBodyError::PayloadTooLarge.into());
        }
        declared_as_json(request.headers())?;
        <Self as ParsePayload>::from_request(request, body).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<T: FromFields>(json: &[u8]) -> Result<T, Failure> {
        Fields::from_json(json).and_then(|fields| T::from_fields(fields, &PasswordPolicy::new(6)))
    }

    fn errors(json: &str) -> FieldErrors {
        let failure = read::<NewAccount>(json.as_bytes()).err().unwrap();
        assert_eq!(failure.code, Code::ValidationFailed);
        failure.field_errors().cloned().unwrap_or_default()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let found = errors(r#"{"email": "no at sign", "username": 7}"#);
        assert_eq!(found["email"], "'email' is not a valid e-mail address");
        assert_eq!(found["username"], "'username' is not of type 'string'");
        assert_eq!(found["password"], "'password' is a required property");
        assert_eq!(found.len(), 3);
        let found = errors(r#"{"email": "no at sign", "username": "ada", "password": "12345"}"#);
        assert_eq!(found["password"], "'password' must have at least 6 characters");
        assert_eq!(found.len(), 2);
        let found = errors(r#"{"email": "no at sign", "username": "countess", "password": "Countess"}"#);
        assert_eq!(found["password"], "'password' must not be your e-mail address or username");
    }

    #[test]
    fn both_passwords_of_a_change_are_looked_at() {
        let failure = read::<PasswordChange>(br#"{"new_password":"12345"}"#).err().unwrap();
        let found = failure.field_errors().unwrap();
        assert_eq!(found["current_password"], "'current_password' is a required property");
        assert_eq!(found["new_password"], "'new_password' must have at least 6 characters");
        let change = read::<PasswordChange>(br#"{"current_password":"","new_password":"123456"}"#).ok().unwrap();
        assert!(change.current.is_none());
    }

    #[test]
    fn a_field_that_is_given_twice_is_refused_and_an_unknown_one_ignored() {
        let body = r#"{"email":"a@b.example","email":"c@d.example","username":"a","password":"123456","x":1,"x":2}"#;
        assert_eq!(errors(body), FieldErrors::from([("email".into(), "'email' is given more than once".into())]));
        let body = br#"{"email":"a@b.example","password":"x","password":"x"}"#;
        let failure = read::<Credentials>(body).err().unwrap();
        assert_eq!(failure.code, Code::ValidationFailed);
    }

    #[test]
    fn a_wrong_value_is_never_repeated() {
        let found = format!(
            "{:?}",
            errors(r#"{"email": ["hunter2"], "username": "\u0007hunter2", "password": "hunter2\u0000"}"#)
        );
        assert!(!found.contains("hunter2"), "{found}");
    }

    #[test]
    fn unknown_fields_and_the_public_id_are_ignored() {
        let body = br#"{"email":"a@b.example","username":"a","password":"123456","public_id":5,"admin":true}"#;
        assert!(read::<NewAccount>(body).is_ok());
    }

    #[test]
    fn what_cannot_be_credentials_is_answered_like_wrong_ones() {
        for body in [r#"{"email":"nobody","password":"x"}"#, r#"{"email":"a@b.example","password":""}"#] {
            let failure = read::<Credentials>(body.as_bytes()).err().unwrap();
            assert_eq!(failure.code, Code::InvalidCredentials);
        }
    }

    #[test]
    fn a_deeply_nested_body_is_refused_and_not_followed() {
        let deep = "[".repeat(8_000);
        assert_eq!(Fields::from_json(deep.as_bytes()).err().map(|failure| failure.code), Some(Code::MalformedRequest));
        for odd in ["", "null", "[]", "\"a\"", "{\"email\": NaN}", "{\"email\": 1e999}", "{} {}", "\u{feff}{}"] {
            assert_eq!(
                Fields::from_json(odd.as_bytes()).err().map(|failure| failure.code),
                Some(Code::MalformedRequest),
                "{odd}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<NewAccount>(&body);
        }
    }
}
