//! String types with a fixed set of values, which the OpenAPI document lists as `enum`.

use std::borrow::Cow;

use auth_http::Code;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;

/// Declares a string type whose values are `$values`.
macro_rules! string_enum {
    ($(#[$doc:meta])* $name:ident, $values:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(&'static str);

        impl Type for $name {
            const IS_REQUIRED: bool = true;

            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                "string_enum".into()
            }

            fn schema_ref() -> MetaSchemaRef {
                let enum_items = $values.into_iter().map(Value::from).collect();
                MetaSchemaRef::Inline(Box::new(MetaSchema { enum_items, ..MetaSchema::new("string") }))
            }

            fn as_raw_value(&self) -> Option<&Self::RawValueType> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(self.0.into())
            }
        }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                let known = $values.into_iter().find(|known| value.as_ref().is_some_and(|value| value == known));
                known.map(Self).ok_or_else(|| ParseError::custom("is none of the known words"))
            }
        }
    };
}

string_enum!(
    /// The `status` of a success.
    Success,
    ["success"]
);
string_enum!(
    /// The `status` of an error.
    Fail,
    ["fail"]
);
string_enum!(
    /// The `token_type` of a token (RFC 6750 §4).
    TokenType,
    ["Bearer"]
);
string_enum!(
    /// The `code` of an error.
    CodeName,
    Code::wire_names()
);

impl Success {
    pub(crate) const SUCCESS: Self = Self("success");
}

impl Fail {
    pub(crate) const FAIL: Self = Self("fail");
}

impl TokenType {
    pub(crate) const BEARER: Self = Self("Bearer");
}

impl From<Code> for CodeName {
    fn from(code: Code) -> Self {
        Self(code.as_str())
    }
}
