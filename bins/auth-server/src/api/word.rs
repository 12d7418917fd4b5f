//! Texts of which there are only a few. The document lists them (`enum`), so that generated clients know them.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;

use super::error::Code;

/// Declares a text that is one of `$words`.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $words:expr) => {
        $(#[$doc])*
        pub(super) struct $name(&'static str);

        impl Type for $name {
            const IS_REQUIRED: bool = true;

            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                "string_enum".into()
            }

            fn schema_ref() -> MetaSchemaRef {
                let enum_items = $words.into_iter().map(Value::from).collect();
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
                let word = $words.into_iter().find(|word| value.as_ref().is_some_and(|value| value == word));
                word.map(Self).ok_or_else(|| ParseError::custom("is none of the known words"))
            }
        }
    };
}

word!(
    /// The status of a success.
    Success,
    ["success"]
);
word!(
    /// The status of a refusal.
    Fail,
    ["fail"]
);
word!(
    /// The kind of a token (RFC 6750).
    TokenType,
    ["Bearer"]
);
word!(
    /// The code of a refusal.
    CodeWord,
    Code::words()
);

impl Success {
    pub(super) const SUCCESS: Self = Self("success");
}

impl Fail {
    pub(super) const FAIL: Self = Self("fail");
}

impl TokenType {
    pub(super) const BEARER: Self = Self("Bearer");
}

impl From<Code> for CodeWord {
    fn from(code: Code) -> Self {
        Self(code.as_str())
    }
}
