//! Query parameters: an operation accepts those that it knows, each once, and no others.

use std::collections::BTreeSet;

use crate::error_answer::FieldErrors;

/// Largest number of wrong parameters that an answer names.
const MAX_NAMED: usize = 8;

/// Largest number of characters of a wrong parameter's name that an answer repeats.
const MAX_NAME: usize = 64;

/// Returns what is wrong with the decoded parameters of a query: those that are not `known`, and those that are repeated,
/// because a proxy may read another one of two.
#[must_use]
pub fn wrong_parameters(parameters: &[(String, String)], known: impl Fn(&str) -> bool) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let mut seen = BTreeSet::new();
    for (name, _) in parameters {
        let rule = if !known(name) {
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

/// Returns the decoded parameters of a query in their order.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> Vec<String> {
        let known = |name: &str| ["limit", "after"].contains(&name);
        wrong_parameters(&parameters(query), known).into_values().collect()
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
}
