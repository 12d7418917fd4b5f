//! Query parameters: an operation accepts those that the OpenAPI document lists for it, each once, and no others.

use std::collections::BTreeSet;

use poem::Request;
use poem::http::Method;
use serde_json::Value;

use super::error::{ApiError, FieldErrors};

/// Largest number of wrong parameters that a response names.
const MAX_NAMED: usize = 8;

/// Largest number of characters of a wrong parameter's name that a response repeats.
const MAX_NAME: usize = 64;

/// Returns the decoded parameters of the query in their order.
pub(crate) fn parameters(request: &Request) -> Vec<(String, String)> {
    request.params().unwrap_or_default()
}

/// The query parameters that one operation accepts.
#[derive(Debug, Default)]
pub(crate) struct AcceptedParameters {
    names: Vec<String>,
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
            needs_token: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
        }
    }

    /// Checks that every parameter of the query is accepted and that none is repeated, because a proxy may read another one of
    /// two. For an operation that needs a token the error is kept in the request and returned by
    /// [`refuse_wrong_parameters`] after the token was checked, so that a missing token is reported first.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`](super::code::Code::ValidationFailed) with the name of each wrong parameter.
    pub(crate) fn check(&self, request: &mut Request) -> Result<(), ApiError> {
        if request.uri().query().is_none_or(str::is_empty) {
            return Ok(());
        }
        let errors = self.wrong(&parameters(request));
        if errors.is_empty() {
            Ok(())
        } else if self.needs_token {
            request.set_data(WrongParameters(errors));
            Ok(())
        } else {
            Err(ApiError::validation(errors))
        }
    }

    fn wrong(&self, parameters: &[(String, String)]) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let mut seen = BTreeSet::new();
        for (name, _) in parameters {
            let rule = if !self.names.contains(name) {
                "is not a parameter of this operation"
            } else if !seen.insert(name) {
                "is given more than once"
            } else {
                continue;
            };
            if errors.len() < MAX_NAMED {
                let name: String = name.chars().take(MAX_NAME).collect();
                let error = format!("'{name}' {rule}");
                errors.insert(name, error);
            }
        }
        errors
    }
}

/// The errors of a query, kept in the request until its token was checked.
#[derive(Clone)]
struct WrongParameters(FieldErrors);

/// Returns the error that [`AcceptedParameters::check`] kept in the request. Called after the token was checked.
///
/// # Errors
///
/// [`Code::ValidationFailed`](super::code::Code::ValidationFailed) if the query is wrong.
pub(crate) fn refuse_wrong_parameters(request: &Request) -> Result<(), ApiError> {
    match request.data::<WrongParameters>() {
        Some(WrongParameters(errors)) => Err(ApiError::validation(errors.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> Vec<String> {
        let operation = AcceptedParameters { names: vec!["limit".into(), "after".into()], needs_token: false };
        let mut request = Request::builder().uri_str(format!("/user/?{query}")).finish();
        let error = operation.check(&mut request).err();
        error.map_or_else(Vec::new, |error| error.field_errors().unwrap().values().cloned().collect())
    }

    #[test]
    fn a_parameter_is_known_and_given_once() {
        for good in ["", "&", "limit=1", "limit=1&after=x", "%6cimit=1"] {
            assert_eq!(wrong(good), Vec::<String>::new(), "{good}");
        }
        assert_eq!(wrong("x=1"), ["'x' is not a parameter of this operation"]);
        assert_eq!(wrong("Limit"), ["'Limit' is not a parameter of this operation"]);
        assert_eq!(wrong("=1"), ["'' is not a parameter of this operation"]);
        assert_eq!(wrong("limit=1&limit=1"), ["'limit' is given more than once"]);
        assert_eq!(wrong("limit=1&b=2&a=3").len(), 2);
    }

    #[test]
    fn an_answer_does_not_repeat_a_long_query() {
        let many: Vec<String> = (0..100).map(|number| format!("p{number}=1")).collect();
        assert_eq!(wrong(&many.join("&")).len(), MAX_NAMED);
        assert_eq!(wrong(&"ü".repeat(2_000))[0].chars().filter(|c| *c == 'ü').count(), MAX_NAME);
    }

    #[test]
    fn the_accepted_parameters_are_those_of_the_document() {
        let document: Value = serde_json::from_str(&crate::api::openapi_json()).unwrap();
        let list = AcceptedParameters::find(&document, "/user/", &Method::GET);
        assert_eq!((list.names.len(), list.needs_token), (2, true));
        let login = AcceptedParameters::find(&document, "/auth/login", &Method::POST);
        assert_eq!((login.names.len(), login.needs_token), (0, false));
        let one = AcceptedParameters::find(&document, "/user/{public_id}", &Method::GET);
        assert_eq!((one.names.len(), one.needs_token), (0, true));
    }
}
