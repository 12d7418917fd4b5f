//! Bodies of the operations that a letter begins or ends.

use auth_core::recovery::OneTimeProof;
use auth_core::{Email, OneTimeToken};
use auth_http::PasswordReset;
use poem_openapi::Object;
use poem_openapi::types::{self, Example, Password};

use crate::api::example;
use crate::http::request_body::RequestObject;

/// The address that a letter is asked for.
#[derive(Object)]
#[oai(example)]
pub(crate) struct LetterRequest {
    /// The e-mail address.
    #[oai(validator(max_length = 254))]
    email: types::Email,
}

impl Example for LetterRequest {
    fn example() -> Self {
        Self { email: types::Email(example::EMAIL.into()) }
    }
}

impl RequestObject for Email {
    type Document = LetterRequest;
}

/// A proof to read letters to an address: the token of the link, or the code with the address.
#[derive(Object)]
#[oai(example)]
pub(crate) struct ProofRequest {
    /// The token of the link in the letter.
    #[oai(skip_serializing_if_is_none)]
    token: Option<Password>,
    /// The address that the letter was sent to. Only with `code`.
    #[oai(skip_serializing_if_is_none)]
    email: Option<types::Email>,
    /// The code in the letter. Case, spaces and hyphens do not matter. Only without `token`.
    #[oai(skip_serializing_if_is_none)]
    code: Option<Password>,
}

impl Example for ProofRequest {
    fn example() -> Self {
        Self { token: Some(Password(example::ONE_TIME_TOKEN.into())), email: None, code: None }
    }
}

impl RequestObject for OneTimeProof {
    type Document = ProofRequest;
}

/// A user who sets a new password by a letter.
#[derive(Object)]
#[oai(example)]
pub(crate) struct ResetPasswordRequest {
    /// The token of the link in the letter.
    #[oai(skip_serializing_if_is_none)]
    token: Option<Password>,
    /// The address that the letter was sent to. Only with `code`.
    #[oai(skip_serializing_if_is_none)]
    email: Option<types::Email>,
    /// The code in the letter. Case, spaces and hyphens do not matter. Only without `token`.
    #[oai(skip_serializing_if_is_none)]
    code: Option<Password>,
    /// The password that the user wants. The rules are those of a registration.
    password: Password,
}

impl Example for ResetPasswordRequest {
    fn example() -> Self {
        Self {
            token: None,
            email: Some(types::Email(example::EMAIL.into())),
            code: Some(Password("ABCD-2345".into())),
            password: Password("a staple for every horse".into()),
        }
    }
}

impl RequestObject for PasswordReset {
    type Document = ResetPasswordRequest;
}

/// The link of a letter.
#[derive(Object)]
#[oai(example)]
pub(crate) struct LinkRequest {
    /// The token of the link in the letter.
    token: Password,
}

impl Example for LinkRequest {
    fn example() -> Self {
        Self { token: Password(example::ONE_TIME_TOKEN.into()) }
    }
}

impl RequestObject for OneTimeToken {
    type Document = LinkRequest;
}
