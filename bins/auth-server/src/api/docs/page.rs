//! The HTML page that shows the OpenAPI document: the framework's Swagger UI in a page of our own.
//!
//! The framework's page has no doctype, viewport, title or icon, and does not work below a path that a proxy adds.

use poem_openapi::{OpenApi, OpenApiService};

/// Text of the framework's page before its style and script.
const BEFORE_ASSETS: &str = "<title>Swagger UI</title>";
/// Text of the framework's page after its style and script.
const AFTER_ASSETS: &str = "</head>\n<body>";

/// The icon, a key, as a data URL.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg fill='none' \
                    stroke='%23286' stroke-width='2'%3E%3Ccircle cx='5' cy='8' r='3'/%3E%3Cpath d='M8 8h7M13 8v3'/%3E%3C/g%3E%3C/svg%3E";

/// Starts Swagger UI. The operations have the same base path as the page, which may be below a path of a proxy. A `Bearer ` that
/// the reader types before the token in *Authorize* is dropped, because the page adds it.
const SCRIPT: &str = r##"
const base = location.pathname.replace(/\/docs\/?$/, "");
if (base) {
    document_of_the_api.servers = [{ url: base }];
}
SwaggerUIBundle({
    dom_id: "#ui",
    spec: document_of_the_api,
    deepLinking: true,
    requestInterceptor: request => {
        const authorization = request.headers.Authorization;
        if (authorization) {
            request.headers.Authorization = authorization.trim().replace(/^Bearer(\s+Bearer)*\s+/i, "Bearer ");
        }
        return request;
    },
});
"##;

/// Returns the page. `document` is the OpenAPI document of `service` as JSON.
pub(super) fn page<A: OpenApi>(service: &OpenApiService<A, ()>, document: &str) -> String {
    let theirs = service.swagger_ui_html();
    let assets = theirs.split_once(BEFORE_ASSETS).and_then(|(_, rest)| rest.split_once(AFTER_ASSETS));
    let (assets, _) = assets.unwrap_or_default();
    // `</script` would end the script even inside a string.
    let document = document.replace('<', "\\u003c");
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Revocable authentication: the API</title>
<link rel="icon" href="{ICON}">
{assets}
<style>body {{ margin: 0 }} @media (max-width: 40em) {{ .swagger-ui .wrapper {{ padding: 0 8px }} }}</style>
</head>
<body>
<noscript>This page needs JavaScript. The OpenAPI document that it shows is <a href="openapi.json">openapi.json</a>.</noscript>
<div id="ui"></div>
<script>
const document_of_the_api = {document};
{SCRIPT}</script>
</body>
</html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{document, openapi_json};

    #[test]
    fn the_page_holds_the_script_and_the_style_of_the_framework_once() {
        let page = page(&document(), &openapi_json());
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        for part in [
            "SwaggerUIBundle=",
            ".swagger-ui",
            "<style charset",
            "<script charset",
            "name=\"viewport\"",
            "rel=\"icon\"",
        ] {
            assert!(page.contains(part), "{part}: the framework's page has another form");
        }
        assert_eq!(page.matches("</script>").count(), 2, "the document cannot end the script that holds it");
    }
}
