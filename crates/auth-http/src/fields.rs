//! JSON request bodies, read field by field, so that one answer names every wrong field.

use std::collections::BTreeSet;
use std::fmt;

use auth_core::PasswordPolicy;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::error_answer::{ErrorAnswer, FieldErrors};

/// Largest request body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// A type that is read from the fields of a JSON body.
pub trait FromFields: Sized + Send {
    /// Reads the fields. A new password must satisfy `policy`.
    ///
    /// # Errors
    ///
    /// [`Code::ValidationFailed`](crate::Code::ValidationFailed) with every wrong field.
    fn from_fields(fields: Fields, policy: &PasswordPolicy) -> Result<Self, ErrorAnswer>;
}

/// The members of a JSON object and the errors found in them. All strings are zeroized on drop.
pub struct Fields {
    members: Members,
    errors: FieldErrors,
}

impl Fields {
    /// Parses a body.
    ///
    /// # Errors
    ///
    /// [`Code::MalformedRequest`](crate::Code::MalformedRequest) if it is not a JSON object.
    pub fn from_json(body: &[u8]) -> Result<Self, ErrorAnswer> {
        // The parser's own message may quote the body.
        match serde_json::from_slice(body) {
            Ok(members) => Ok(Self { members, errors: FieldErrors::new() }),
            Err(error) if error.is_data() => Err(ErrorAnswer::malformed("The body must be a JSON object.")),
            Err(_) => Err(ErrorAnswer::malformed("The body is not valid JSON.")),
        }
    }

    /// Parses the string of this name. Returns `None` and notes the error if it is absent, no string, repeated, or refused by
    /// `parse`, whose error continues the sentence that the name of the field begins.
    pub fn parsed<T, E: fmt::Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        self.read(name, "string", |value| value.as_str().map(parse))
    }

    /// As [`parsed`](Self::parsed), for a whole number that is not negative.
    pub fn parsed_number<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(u64) -> Result<T, E>,
    ) -> Option<T> {
        self.read(name, "integer", |value| value.as_u64().map(parse))
    }

    /// As [`parsed`](Self::parsed), for an array of strings.
    pub fn parsed_list<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&[&str]) -> Result<T, E>,
    ) -> Option<T> {
        let texts = |value: &Value| {
            let items = value.as_array()?.iter().map(Value::as_str);
            Some(parse(&items.collect::<Option<Vec<_>>>()?))
        };
        self.read(name, "array of strings", texts)
    }

    /// Parses the value of this name. `parse` returns `None` for one that is not of this type.
    fn read<T, E: fmt::Display>(
        &mut self,
        name: &str,
        of_type: &str,
        parse: impl FnOnce(&Value) -> Option<Result<T, E>>,
    ) -> Option<T> {
        let error = match self.members.values.get(name) {
            Some(_) if self.members.repeated.contains(name) => format!("'{name}' is given more than once"),
            Some(value) => match parse(value) {
                Some(Ok(value)) => return Some(value),
                Some(Err(rule)) => format!("'{name}' {rule}"),
                None => format!("'{name}' is not of type '{of_type}'"),
            },
            None => format!("'{name}' is a required property"),
        };
        self.errors.insert(name.to_owned(), error);
        None
    }

    /// As [`parsed`](Self::parsed), but an absent string is `default` and no error.
    pub fn parsed_or<T, E: fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.contains(name) { self.parsed(name, parse) } else { Some(default) }
    }

    /// Returns whether the body has a member of this name, of any type.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.members.values.contains_key(name)
    }

    /// Notes that a field breaks a rule. The rule continues the sentence that the name of the field begins.
    pub fn refuse(&mut self, name: &str, rule: impl fmt::Display) {
        self.errors.insert(name.to_owned(), format!("'{name}' {rule}"));
    }

    /// Returns whether no error was noted.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Returns the error that names every field of which [`parsed`](Self::parsed) noted one.
    #[must_use]
    pub fn into_error(mut self) -> ErrorAnswer {
        ErrorAnswer::validation(std::mem::take(&mut self.errors))
    }
}

/// Shows the names of the wrong fields and no value.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("errors", &self.errors).finish_non_exhaustive()
    }
}

/// The members of a JSON object, with the names that occur more than once. Parsers differ in which of the values they use
/// (RFC 8259 §4), so a proxy may have read another one than this server.
#[derive(Default)]
struct Members {
    values: Map<String, Value>,
    repeated: BTreeSet<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if let Some(mut earlier) = members.values.insert(name.clone(), value) {
                erase(&mut earlier);
                members.repeated.insert(name);
            }
        }
        Ok(members)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.values.values_mut().for_each(erase);
    }
}

fn erase(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(erase),
        Value::Object(members) => members.values_mut().for_each(erase),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    #[test]
    fn a_deeply_nested_body_is_refused_without_recursion() {
        let deep = "[".repeat(8_000);
        let bodies =
            ["", "null", "[]", "\"a\"", "{\"email\": NaN}", "{\"email\": 1e999}", "{} {}", "\u{feff}{}", &deep];
        for body in bodies {
            let error = Fields::from_json(body.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(error.code(), Code::MalformedRequest, "{body}");
        }
    }
}
