//! The request body that makes a personal access token.

use std::time::Duration;

use auth_core::personal::{NewPersonalToken, TokenName};
use auth_core::{NameError, PasswordPolicy, Scopes};

use crate::error_answer::ErrorAnswer;
use crate::fields::{Fields, FromFields};

/// The members `name`, `scopes` and `expires_in`, of which the last two may be absent.
impl FromFields for NewPersonalToken {
    fn from_fields(mut fields: Fields, _: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        let name = fields.parsed("name", str::parse::<TokenName>);
        // What is wrong is noted, so `None` means "absent" below.
        let scopes = fields.contains("scopes").then(|| fields.parsed_list("scopes", scopes_of)).flatten();
        let seconds = |seconds| Ok::<_, NameError>(Duration::from_secs(seconds));
        let life = fields.contains("expires_in").then(|| fields.parsed_number("expires_in", seconds)).flatten();
        match name {
            Some(name) if fields.is_clean() => Ok(Self { name, scopes, life }),
            _ => Err(fields.into_error()),
        }
    }
}

fn scopes_of(names: &[&str]) -> Result<Scopes, String> {
    let scopes = names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, NameError>>();
    scopes.and_then(Scopes::of).map_err(|error| format!("is wrong: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<NewPersonalToken, String> {
        let read = Fields::from_json(json.as_bytes())
            .and_then(|fields| NewPersonalToken::from_fields(fields, &PasswordPolicy::new(6)));
        read.map_err(|error| format!("{:?}", error.field_errors()))
    }

    #[test]
    fn scopes_and_life_may_be_absent() {
        let new = read(r#"{"name": " backup "}"#).unwrap();
        assert_eq!((new.name.as_str(), new.scopes, new.life), ("backup", None, None));
        let new = read(r#"{"name": "backup", "scopes": [], "expires_in": 60}"#).unwrap();
        assert_eq!((new.scopes, new.life), (Some(Scopes::default()), Some(Duration::from_secs(60))));
        let new = read(r#"{"name": "backup", "scopes": ["b", "a"]}"#).unwrap();
        assert_eq!(new.scopes.unwrap().to_string(), "a b");
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let found = read(r#"{"scopes": "a b", "expires_in": "60"}"#).unwrap_err();
        for expected in [
            "'name' is a required property",
            "'scopes' is not of type 'array of strings'",
            "'expires_in' is not of type 'integer'",
        ] {
            assert!(found.contains(expected), "{found}");
        }
        let found = read(r#"{"name": "a\nb", "scopes": ["a b"], "expires_in": -1}"#).unwrap_err();
        for expected in ["'name' must have 1 to 64", "'scopes' is wrong: a scope has", "'expires_in' is not of type"] {
            assert!(found.contains(expected), "{found}");
        }
        for wrong in ["null", "[1]", r#"["a", null]"#, "{}"] {
            let found = read(&format!(r#"{{"name": "a", "scopes": {wrong}}}"#)).unwrap_err();
            assert!(found.contains("'scopes' is not of type 'array of strings'"), "{found}");
        }
    }
}
