//! Query parameters that are extracted as text and checked later, so that one response names every wrong one.

/// Declares a query parameter whose extraction never fails: a type that holds its text, if the query has it.
macro_rules! query_parameter {
    ($(#[$doc:meta])* $parameter:ident, $schema:expr) => {
        $(#[$doc])*
        pub(crate) struct $parameter(pub(crate) Option<String>);

        impl<'a> poem_openapi::ApiExtractor<'a> for $parameter {
            const TYPES: &'static [poem_openapi::ApiExtractorType] =
                &[poem_openapi::ApiExtractorType::Parameter];

            type ParamType = String;
            type ParamRawType = String;

            fn param_in() -> Option<poem_openapi::registry::MetaParamIn> {
                Some(poem_openapi::registry::MetaParamIn::Query)
            }

            fn param_schema_ref() -> Option<poem_openapi::registry::MetaSchemaRef> {
                Some(poem_openapi::registry::MetaSchemaRef::Inline(Box::new($schema)))
            }

            async fn from_request(
                request: &'a poem::Request,
                _: &mut poem::RequestBody,
                options: poem_openapi::ExtractParamOptions<Self::ParamType>,
            ) -> poem::Result<Self> {
                Ok(Self($crate::http::query::parameter(request, options.name)))
            }
        }
    };
}

pub(crate) use query_parameter;
