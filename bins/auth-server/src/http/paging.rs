//! The query parameters `limit` and `after` of a list that is read page by page.
//!
//! Extraction never fails. [`page`] checks both, so that one response names both errors.

use auth_core::UserId;
use auth_http::{ErrorAnswer, FieldErrors};
use poem_openapi::registry::MetaSchema;
use serde_json::Value;

use super::query_parameter::query_parameter;

/// Number of entries of a page if the request has no `limit`.
const DEFAULT_LIMIT: u32 = 50;

/// Largest `limit` that is accepted.
const MAX_LIMIT: u32 = 200;

/// Checks the two parameters. Returns the largest number of entries and the id after which they begin.
///
/// # Errors
///
/// [`Code::ValidationFailed`](auth_http::Code::ValidationFailed) with the name of each parameter that is wrong.
pub(crate) fn page(limit: Limit, after: After) -> Result<(u32, Option<UserId>), ErrorAnswer> {
    let mut errors = FieldErrors::new();
    let limit = match limit.0.map(|text| text.parse()) {
        None => Some(DEFAULT_LIMIT),
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Some(limit),
        Some(_) => {
            errors.insert("limit".to_owned(), format!("'limit' must be a number from 1 to {MAX_LIMIT}"));
            None
        }
    };
    let after = match after.0.map(|text| text.parse()) {
        None => Some(None),
        Some(Ok(id)) => Some(Some(id)),
        Some(Err(_)) => {
            errors.insert("after".to_owned(), "'after' must be the 'next' of another page".to_owned());
            None
        }
    };
    match (limit, after) {
        (Some(limit), Some(after)) => Ok((limit, after)),
        _ => Err(ErrorAnswer::validation(errors)),
    }
}

query_parameter!(
    /// The unchecked parameter `limit`.
    Limit,
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(f64::from(MAX_LIMIT)),
        default: Some(Value::from(DEFAULT_LIMIT)),
        ..MetaSchema::new("integer")
    }
);
query_parameter!(
    /// The unchecked parameter `after`.
    After,
    MetaSchema::new_with_format("string", "uuid")
);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(limit: Option<&str>, after: Option<&str>) -> Result<(u32, Option<UserId>), Vec<String>> {
        page(Limit(limit.map(str::to_owned)), After(after.map(str::to_owned)))
            .map_err(|error| error.field_errors().unwrap().keys().cloned().collect())
    }

    #[test]
    fn a_page_has_fifty_users_unless_it_is_told_otherwise() {
        assert_eq!(read(None, None), Ok((50, None)));
        assert_eq!(read(Some("1"), None), Ok((1, None)));
        assert_eq!(read(Some("200"), None), Ok((200, None)));
        let id = "01935a1e-8c00-7def-8123-456789abcdef";
        assert_eq!(read(None, Some(id)), Ok((50, Some(id.parse().unwrap()))));
    }

    #[test]
    fn both_parameters_are_named_when_both_are_wrong() {
        for limit in ["0", "201", "-1", "1.5", "", "many", "99999999999"] {
            assert_eq!(read(Some(limit), None), Err(vec!["limit".to_owned()]), "{limit}");
        }
        assert_eq!(read(Some("0"), Some("x")), Err(vec!["after".to_owned(), "limit".to_owned()]));
    }
}
