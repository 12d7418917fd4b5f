//! The id of a user in a path.
//!
//! A malformed id gets the same 404 as an unknown one, after the token was checked.

use std::borrow::Cow;

use auth_core::UserId;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromParameter, ParseResult, Type};

use crate::http::code::Code;
use crate::http::error::ApiError;

/// The `public_id` of a path; `None` if it is malformed.
pub(super) struct PublicId(Option<UserId>);

impl PublicId {
    /// Returns the id.
    ///
    /// # Errors
    ///
    /// [`Code::UserNotFound`] if it is malformed.
    pub(super) fn user_id(&self) -> Result<UserId, ApiError> {
        self.0.ok_or_else(|| ApiError::new(Code::UserNotFound))
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
