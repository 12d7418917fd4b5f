//! Ids in paths.
//!
//! A malformed id gets the same 404 as an unknown one, after the token was checked.

use std::borrow::Cow;
use std::str::FromStr;

use auth_http::{Code, ErrorAnswer};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromParameter, ParseResult, Type};

/// An id of a path; `None` if it is malformed.
pub(crate) struct PathId<T>(Option<T>);

impl<T: Copy> PathId<T> {
    /// Returns the id.
    ///
    /// # Errors
    ///
    /// `not_found`, which is the code of an unknown id, if it is malformed.
    pub(crate) fn or(&self, not_found: Code) -> Result<T, ErrorAnswer> {
        self.0.ok_or_else(|| ErrorAnswer::new(not_found))
    }
}

impl<T: Send + Sync> Type for PathId<T> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_uuid".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "uuid")))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: FromStr + Send + Sync> ParseFromParameter for PathId<T> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.parse().ok()))
    }
}
