//! The query of the list of users: `limit`, `after`, and the filters `email` and `username`.

use auth_core::{AccountError, AuthService, Email, User, UserId, Username};
use auth_http::{ErrorAnswer, FieldErrors};
use poem_openapi::registry::MetaSchema;

use crate::http::paging::{After, Limit, page};
use crate::http::query_parameter::query_parameter;

query_parameter!(
    /// The unchecked parameter `email`.
    EmailFilter,
    MetaSchema::new_with_format("string", "email")
);
query_parameter!(
    /// The unchecked parameter `username`.
    UsernameFilter,
    MetaSchema::new("string")
);

/// The checked query.
pub(super) struct Query {
    /// Largest number of users of the page.
    pub(super) limit: u32,
    /// The id after which the page begins.
    pub(super) after: Option<UserId>,
    /// What the user is found by, if one is looked for.
    pub(super) filter: Option<Filter>,
}

/// What a user is found by. A user who is found has the address and the name, as far as they are given.
pub(super) enum Filter {
    Email(Email),
    Username(Username),
    Both(Email, Username),
}

impl Query {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`](auth_http::Code::ValidationFailed) with the name of each parameter that is wrong.
    pub(super) fn parse(
        limit: Limit,
        after: After,
        email: EmailFilter,
        username: UsernameFilter,
    ) -> Result<Self, ErrorAnswer> {
        let mut errors = FieldErrors::new();
        let mut refuse = |name: &str, rule: String| drop(errors.insert(name.to_owned(), format!("'{name}' {rule}")));
        let email = email.0.and_then(|text| Email::parse(&text).map_err(|rule| refuse("email", rule.to_string())).ok());
        let username = username
            .0
            .and_then(|text| Username::parse(&text).map_err(|rule| refuse("username", rule.to_string())).ok());
        let (limit, after) = match page(limit, after) {
            Ok(page) if errors.is_empty() => page,
            Ok(_) => return Err(ErrorAnswer::validation(errors)),
            Err(error) => {
                errors.extend(error.field_errors().cloned().unwrap_or_default());
                return Err(ErrorAnswer::validation(errors));
            }
        };
        let filter = match (email, username) {
            (None, None) => None,
            (Some(email), None) => Some(Filter::Email(email)),
            (None, Some(username)) => Some(Filter::Username(username)),
            (Some(email), Some(username)) => Some(Filter::Both(email, username)),
        };
        Ok(Self { limit, after, filter })
    }
}

impl Filter {
    /// Returns the user, if there is one.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub(super) async fn find(&self, service: &AuthService) -> Result<Option<User>, AccountError> {
        let found = match self {
            Self::Email(email) => service.find_by_email(email).await,
            Self::Username(username) => service.find_by_username(username).await,
            Self::Both(email, username) => {
                let found = service.find_by_email(email).await;
                return some(found).map(|user| user.filter(|user| user.username.key() == username.key()));
            }
        };
        some(found)
    }
}

fn some(found: Result<User, AccountError>) -> Result<Option<User>, AccountError> {
    match found {
        Err(AccountError::UserNotFound) => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(limit: &str, email: Option<&str>, username: Option<&str>) -> Vec<String> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let query = Query::parse(
            Limit(text(Some(limit))),
            After(None),
            EmailFilter(text(email)),
            UsernameFilter(text(username)),
        );
        let errors = query.err().and_then(|error| error.field_errors().cloned()).unwrap_or_default();
        errors.into_keys().collect()
    }

    #[test]
    fn every_wrong_parameter_is_named_at_once() {
        assert_eq!(wrong("1", None, None), Vec::<String>::new());
        assert_eq!(wrong("1", Some("a@b.example"), Some("ada")), Vec::<String>::new());
        assert_eq!(wrong("0", Some("nobody"), Some("")), ["email", "limit", "username"]);
        assert_eq!(wrong("1", Some("nobody"), None), ["email"]);
    }
}
