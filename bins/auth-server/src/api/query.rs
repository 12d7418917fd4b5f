//! The query of a request: each operation knows its parameters, and refuses every other one by name.

use std::collections::BTreeSet;

use poem::Request;
use poem::http::Method;
use serde_json::Value;

use super::error::{Failure, FieldErrors};

/// Upper bound on the wrong parameters that an answer names.
const MAX_NAMED: usize = 8;

/// Upper bound on the characters of a wrong parameter that an answer repeats.
const MAX_NAME: usize = 64;

/// The parameters of a request's query, decoded, in their order.
pub(super) fn parameters(request: &Request) -> Vec<(String, String)> {
    request.params().unwrap_or_default()
}

/// The query parameters that the document has for one operation.
#[derive(Debug, Default)]
pub(super) struct Documented {
    parameters: Vec<String>,
    needs_token: bool,
}

impl Documented {
    /// Looks up the operation with this method at this path. One that is not in the document has no parameters.
    pub(super) fn find(document: &Value, path: &str, method: &Method) -> Self {
        let operation = &document["paths"][path][method.as_str().to_ascii_lowercase()];
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        Self {
            parameters: parameters
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
                .collect(),
            needs_token: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
        }
    }

    /// Checks that the operation has every parameter of the query, and that none is repeated: whoever stands in front may
    /// have read another one of them. An operation that needs a token refuses after it has seen one
    /// ([`refuse_wrong_parameters`]), so that a request without a token is told of that first.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`](super::error::Code::ValidationFailed) with the names.
    pub(super) fn check(&self, request: &mut Request) -> Result<(), Failure> {
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
            Err(Failure::validation(errors))
        }
    }

    fn wrong(&self, parameters: &[(String, String)]) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let mut seen = BTreeSet::new();
        for (name, _) in parameters {
            let rule = if !self.parameters.contains(name) {
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

/// The error of a query, kept until the token of the request is checked: a missing or bad token is answered first.
#[derive(Clone)]
struct WrongParameters(FieldErrors);

/// Refuses a request with a good token for the parameters that [`Documented::check`] found wrong.
///
/// # Errors
///
/// As [`Documented::check`].
pub(super) fn refuse_wrong_parameters(request: &Request) -> Result<(), Failure> {
    match request.data::<WrongParameters>() {
        Some(WrongParameters(errors)) => Err(Failure::validation(errors.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> Vec<String> {
        let operation = Documented { parameters: vec!["limit".into(), "after".into()], needs_token: false };
        let mut request = Request::builder().uri_str(format!("/user/?{query}")).finish();
        let failure = operation.check(&mut request).err();
        failure.map_or_else(Vec::new, |failure| failure.field_errors().unwrap().values().cloned().collect())
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
    fn what_the_document_says_is_what_is_allowed() {
        let document: Value = serde_json::from_str(&super::super::openapi_json()).unwrap();
        let list = Documented::find(&document, "/user/", &Method::GET);
        assert_eq!((list.parameters.len(), list.needs_token), (2, true));
        let login = Documented::find(&document, "/auth/login", &Method::POST);
        assert_eq!((login.parameters.len(), login.needs_token), (0, false));
        let one = Documented::find(&document, "/user/{public_id}", &Method::GET);
        assert_eq!((one.parameters.len(), one.needs_token), (0, true));
    }
}
