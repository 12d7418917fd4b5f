//! The id of a user in a path. What is no id is nobody's: it is answered like the id of nobody, and only after the token
//! was looked at.

use std::borrow::Cow;

use auth_core::UserId;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromParameter, ParseResult, Type};

use super::error::{Code, Failure};

/// The `public_id` of the path, if it is one.
pub(super) struct PublicId(Option<UserId>);

impl PublicId {
    /// The id.
    ///
    /// # Errors
    ///
    /// [`Code::UserNotFound`] when the path has something else in its place.
    pub(super) fn user_id(&self) -> Result<UserId, Failure> {
        self.0.ok_or_else(|| Failure::new(Code::UserNotFound))
    }
}

impl Type for PublicId {
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

impl ParseFromParameter for PublicId {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.parse().ok()))
    }
}
