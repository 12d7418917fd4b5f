//! Query parameters: an operation accepts those that the OpenAPI document lists for it, each once, and no others.

use auth_http::{ErrorAnswer, FieldErrors, wrong_parameters};
use poem::Request;
use poem::http::Method;
use serde_json::Value;

/// Returns the decoded parameters of the query in their order.
fn parameters(request: &Request) -> Vec<(String, String)> {
    request.params().unwrap_or_default()
}

/// Returns the decoded parameter with this name, if the query has one.
pub(crate) fn parameter(request: &Request, name: &str) -> Option<String> {
    parameters(request).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The query parameters that one operation accepts.
#[derive(Debug, Default)]
pub(crate) struct AcceptedParameters {
    names: Vec<String>,
    /// True if every parameter is accepted.
    any: bool,
    needs_token: bool,
}

impl AcceptedParameters {
    /// Reads the parameters of the operation with this method and path from the OpenAPI document. An operation that is not in
    /// the document accepts none.
    pub(crate) fn find(document: &Value, path: &str, method: &Method) -> Self {
        let operation = &document["paths"][path][method.as_str().to_ascii_lowercase()];
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        Self {
            names: parameters
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
                .collect(),
            any: false,
            needs_token: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
        }
    }

    /// Returns the parameters of an operation that accepts every one.
    pub(crate) fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Checks that every parameter of the query is accepted and that none is repeated, because a proxy may read another one of
    /// two. For an operation that needs a token the error is kept in the request and returned by
    /// [`refuse_wrong_parameters`] after the token was checked, so that a missing token is reported first.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`](auth_http::Code::ValidationFailed) with the name of each wrong parameter.
    pub(crate) fn check(&self, request: &mut Request) -> Result<(), ErrorAnswer> {
        if self.any || request.uri().query().is_none_or(str::is_empty) {
            return Ok(());
        }
        let errors = wrong_parameters(&parameters(request), |name| self.names.iter().any(|known| known == name));
        if errors.is_empty() {
            Ok(())
        } else if self.needs_token {
            request.set_data(WrongParameters(errors));
            Ok(())
        } else {
            Err(ErrorAnswer::validation(errors))
        }
    }
}

/// The errors of a query, kept in the request until its token was checked.
#[derive(Clone)]
struct WrongParameters(FieldErrors);

/// Returns the error that [`AcceptedParameters::check`] kept in the request. Called after the token was checked.
///
/// # Errors
///
/// [`Code::ValidationFailed`](auth_http::Code::ValidationFailed) if the query is wrong.
pub(crate) fn refuse_wrong_parameters(request: &Request) -> Result<(), ErrorAnswer> {
    match request.data::<WrongParameters>() {
        Some(WrongParameters(errors)) => Err(ErrorAnswer::validation(errors.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accepted_parameters_are_those_of_the_document() {
        let document: Value = serde_json::from_str(&crate::api::openapi_json()).unwrap();
        let list = AcceptedParameters::find(&document, "/user/", &Method::GET);
        assert_eq!((list.names.len(), list.needs_token), (4, true));
        let login = AcceptedParameters::find(&document, "/auth/login", &Method::POST);
        assert_eq!((login.names.len(), login.needs_token), (0, false));
        let one = AcceptedParameters::find(&document, "/user/{public_id}", &Method::GET);
        assert_eq!((one.names.len(), one.needs_token), (0, true));
    }
}
