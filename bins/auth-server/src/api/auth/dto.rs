//! Bodies of the operations on tokens. None of them implements `Debug`, because they hold passwords and tokens.
//!
//! A request type describes its body in the OpenAPI document and is never deserialized: `auth-http` reads the body.

use auth_core::{Credentials, CsrfToken, NewAccount, PasswordPolicy, Principal, RefreshToken, Role, Scopes, SignedIn};
use auth_http::{Code, ErrorAnswer, Fields, FromFields};
use poem_openapi::Object;
use poem_openapi::types::{Any, Email, Example, Password};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::way::{SessionWay, WithWay};
use crate::api::example;
use crate::http::request_body::RequestObject;
use crate::http::string_enum::{Success, TokenType};

/// A person who registers.
#[derive(Object)]
#[oai(example)]
pub(crate) struct RegisterRequest {
    /// The e-mail address. It is unique without regard to case.
    #[oai(validator(max_length = 254))]
    email: Email,
    /// The name. It is unique without regard to case. White space around it is dropped; inside, words are separated by single
    /// spaces. Invisible, unassigned and private-use characters are refused.
    #[oai(validator(min_length = 1, max_length = 50))]
    username: String,
    /// The password: at least as many characters as the server asks for, and no more bytes in UTF-8 than its hash
    /// function can take (72 for bcrypt). Where the server says so, none of the commonly used ones. Never the e-mail
    /// address or the username.
    password: Password,
    #[oai(skip_serializing_if_is_none)]
    session: Option<SessionWay>,
    /// Accepted and ignored, whatever it is: the server makes the id.
    #[oai(skip_serializing_if_is_none)]
    public_id: Option<Any<Value>>,
}

impl Example for RegisterRequest {
    fn example() -> Self {
        Self {
            email: Email(example::EMAIL.into()),
            username: example::NAME.into(),
            password: Password("correct horse battery staple".into()),
            session: None,
            public_id: None,
        }
    }
}

/// A new account, and the way to keep its first login.
pub(crate) type SignUp = WithWay<NewAccount>;

impl RequestObject for SignUp {
    type Document = RegisterRequest;
}

/// A person who logs in.
#[derive(Object)]
#[oai(example)]
pub(crate) struct LoginRequest {
    /// The e-mail address.
    email: Email,
    /// The password.
    password: Password,
    #[oai(skip_serializing_if_is_none)]
    session: Option<SessionWay>,
}

impl Example for LoginRequest {
    fn example() -> Self {
        Self {
            email: Email(example::EMAIL.into()),
            password: Password("correct horse battery staple".into()),
            session: None,
        }
    }
}

/// The credentials of a login, and the way to keep it.
pub(crate) type LogIn = WithWay<Credentials>;

impl RequestObject for LogIn {
    type Document = LoginRequest;
}

/// A client that renews its session.
#[derive(Object)]
#[oai(example)]
pub(crate) struct RefreshRequest {
    /// The refresh token that the last login or refresh answered with. Without it the one in the cookie is taken.
    #[oai(skip_serializing_if_is_none)]
    refresh_token: Option<Password>,
}

impl Example for RefreshRequest {
    fn example() -> Self {
        Self { refresh_token: Some(Password(example::REFRESH_TOKEN.into())) }
    }
}

/// The refresh token of a client, if its body has one. Whether it is accepted is not known yet.
pub(crate) struct Refresh {
    pub(crate) unverified_token: Option<RefreshToken>,
}

impl RequestObject for Refresh {
    type Document = RefreshRequest;
}

impl FromFields for Refresh {
    /// Text that cannot be a refresh token gets the same error as one that is not accepted.
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let parse = |text: &str| Ok::<_, &str>(RefreshToken::parse(text).map(Some));
        match fields.parsed_or("refresh_token", Ok(None), parse) {
            Some(Ok(unverified_token)) => Ok(Self { unverified_token }),
            Some(Err(_)) => Err(Code::SessionEnded.into()),
            None => Err(fields.into_error()),
        }
    }
}

/// The CSRF token of a session.
#[derive(Object)]
#[oai(example)]
pub(crate) struct CsrfGranted {
    /// The token, for the header `X-CSRF-Token`.
    csrf_token: String,
}

impl CsrfGranted {
    pub(crate) fn new(token: &CsrfToken) -> Self {
        Self { csrf_token: token.expose_text() }
    }
}

impl Example for CsrfGranted {
    fn example() -> Self {
        Self { csrf_token: example::CSRF_TOKEN.into() }
    }
}

/// A fresh token.
#[derive(Object)]
#[oai(example)]
pub(crate) struct TokenGranted {
    /// Always `success`.
    status: Success,
    /// A sentence for people.
    message: String,
    /// The token itself, without the word `Bearer`.
    #[oai(rename = "Authorization")]
    authorization: String,
    /// Always `Bearer`: send the token as `Authorization: Bearer <token>`.
    token_type: TokenType,
    /// How many seconds the token is good.
    expires_in: u64,
    /// The id of the user.
    public_id: Uuid,
    /// With `session: refresh`: the token for `POST /auth/refresh`. It is used once.
    #[oai(skip_serializing_if_is_none)]
    refresh_token: Option<String>,
    /// With `session: refresh`: how many seconds the session lasts if it is not refreshed.
    #[oai(skip_serializing_if_is_none)]
    refresh_expires_in: Option<u64>,
}

impl TokenGranted {
    pub(crate) fn new(message: &str, signed_in: &SignedIn) -> Self {
        Self {
            status: Success::SUCCESS,
            message: message.into(),
            authorization: signed_in.token.expose_token().into(),
            token_type: TokenType::BEARER,
            expires_in: signed_in.token.expires_in.as_secs(),
            public_id: signed_in.user.id.as_uuid(),
            refresh_token: signed_in.refresh.as_ref().map(|refresh| refresh.token.expose_text(str::to_owned)),
            refresh_expires_in: signed_in.refresh.as_ref().map(|refresh| refresh.expires_in.as_secs()),
        }
    }
}

impl Example for TokenGranted {
    fn example() -> Self {
        Self {
            status: Success::SUCCESS,
            message: "Successfully logged in.".into(),
            authorization: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLiJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl"
                .into(),
            token_type: TokenType::BEARER,
            expires_in: 86_400,
            public_id: example::ID,
            refresh_token: None,
            refresh_expires_in: None,
        }
    }
}

/// What a good token says.
#[derive(Object)]
#[oai(example)]
pub(crate) struct TokenClaims {
    /// The user whose token it is, if it is not a client's.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) user_id: Option<Uuid>,
    /// The client whose token it is, if it is a client's.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) client_id: Option<String>,
    /// Which token it is (`jti`).
    pub(crate) token_id: Uuid,
    /// Whether the user was an admin at login.
    pub(crate) admin: bool,
    /// When it was issued.
    pub(crate) issued_at: OffsetDateTime,
    /// When it expires.
    pub(crate) expires_at: OffsetDateTime,
    /// The roles of the token, without `admin`, if it has any.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) roles: Option<Vec<String>>,
    /// The scopes of the token, separated by blanks, if it has any (RFC 6749 §3.3).
    #[oai(skip_serializing_if_is_none)]
    pub(crate) scope: Option<String>,
}

impl From<&Principal> for TokenClaims {
    fn from(principal: &Principal) -> Self {
        let client = principal.client_id();
        Self {
            user_id: client.is_none().then(|| principal.user_id().as_uuid()),
            client_id: client.map(|client| client.to_string()),
            token_id: principal.token_id().as_uuid(),
            admin: principal.is_admin(),
            issued_at: principal.issued_at(),
            expires_at: principal.expires_at(),
            roles: principal
                .roles()
                .filter(|roles| !roles.is_empty())
                .map(|roles| roles.iter().map(Role::to_string).collect()),
            scope: principal.scopes().filter(|scopes| !scopes.is_empty()).map(Scopes::to_string),
        }
    }
}

impl Example for TokenClaims {
    fn example() -> Self {
        Self {
            user_id: Some(example::ID),
            client_id: None,
            token_id: Uuid::from_u128(0x6f1c_0a3e_52d7_4b8e_9c1d_2e3f_4a5b_6c7d),
            admin: false,
            issued_at: example::TIME,
            expires_at: example::TIME + time::Duration::DAY,
            roles: None,
            scope: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<T: FromFields>(json: &[u8]) -> Result<T, ErrorAnswer> {
        Fields::from_json(json).and_then(|fields| T::from_fields(fields, &PasswordPolicy::new(6)))
    }

    #[test]
    fn the_way_of_a_session_is_a_known_word() {
        let way = |json: &str| read::<LogIn>(json.as_bytes()).map(|login| login.way);
        assert_eq!(way(r#"{"email":"a@b.example","password":"x"}"#).ok(), Some(SessionWay::Token));
        let refresh = r#"{"email":"a@b.example","password":"x","session":"refresh"}"#;
        assert_eq!(way(refresh).ok(), Some(SessionWay::Refresh));
        for (wrong, rule) in [
            (r#""basic""#, "must be one of: token, refresh, cookie"),
            (r#""Refresh""#, "must be one of: token, refresh, cookie"),
            ("null", "is not of type 'string'"),
            ("true", "is not of type 'string'"),
        ] {
            // The text is no e-mail address, which is a 401 where nothing else is wrong.
            let error = way(&format!(r#"{{"email":"nobody","password":"x","session":{wrong}}}"#)).err().unwrap();
            assert_eq!(error.field_errors().unwrap()["session"], format!("'session' {rule}"));
        }
    }

    #[test]
    fn text_that_cannot_be_a_refresh_token_is_answered_like_one_that_is_not_accepted() {
        let code = |json: &str| read::<Refresh>(json.as_bytes()).err().map(|error| error.code());
        for text in ["", "x", "rar_", "rar_AAAA"] {
            assert_eq!(code(&format!(r#"{{"refresh_token":"{text}"}}"#)), Some(Code::SessionEnded), "{text}");
        }
        for body in
            [r#"{"refresh_token":7}"#, r#"{"refresh_token":null}"#, r#"{"refresh_token":"a","refresh_token":"b"}"#]
        {
            assert_eq!(code(body), Some(Code::ValidationFailed), "{body}");
        }
        assert!(read::<Refresh>(b"{}").is_ok_and(|refresh| refresh.unverified_token.is_none()));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<SignUp>(&body);
        }
    }
}
