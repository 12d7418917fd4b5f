//! Response bodies that belong to no single topic.

use std::collections::BTreeMap;

use auth_http::Code;
use poem_openapi::Object;
use poem_openapi::types::Example;

use super::string_enum::{CodeName, Fail, Success};

/// Something was done.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Done {
    /// Always `success`.
    status: Success,
    /// A sentence for people.
    message: String,
}

impl Done {
    pub(crate) fn new(message: &str) -> Self {
        Self { status: Success::SUCCESS, message: message.into() }
    }
}

impl Example for Done {
    fn example() -> Self {
        Self::new("Successfully logged out.")
    }
}

/// Why a request was refused: the body of every answer that is not a success.
#[derive(Object)]
pub(crate) struct ErrorBody {
    /// Always `fail`.
    status: Fail,
    /// A sentence for people.
    message: String,
    /// A stable word for programs.
    code: CodeName,
    /// With `validation_failed`: what is wrong with which field.
    #[oai(skip_serializing_if_is_none)]
    errors: Option<BTreeMap<String, String>>,
}

impl ErrorBody {
    pub(crate) fn new(code: Code, message: String, errors: Option<BTreeMap<String, String>>) -> Self {
        Self { status: Fail::FAIL, message, code: code.into(), errors }
    }

    /// Returns the body of an error with this code, as the OpenAPI document shows it.
    pub(crate) fn example_of(code: Code) -> Self {
        let errors = (code == Code::ValidationFailed)
            .then(|| [("email".into(), "'email' is a required property".into())].into());
        Self::new(code, code.message().into(), errors)
    }
}
