//! The document that describes the API is part of the contract.

use auth_tests::App;
use serde_json::{Value, json};

#[tokio::test]
async fn the_document_is_the_reviewed_one() {
    let app = App::in_memory().await;
    let answer = app.get("/openapi.json").send().await;
    assert_eq!(answer.status, 200);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("openapi", answer.json(), { ".info.version" => "[version]" });
    });
    assert_eq!(app.get("/swagger.json").send().await.json(), answer.json(), "the name it used to have");
}

#[tokio::test]
async fn every_operation_has_a_name_a_summary_a_tag_and_its_errors() {
    let app = App::in_memory().await;
    let document = app.get("/openapi.json").send().await.json();
    let mut names = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let what = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{what} has no name"));
            assert!(!names.contains(&name), "{what}: {name} is taken");
            names.push(name);
            assert!(operation["summary"].is_string(), "{what} has no summary");
            assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{what} has no tag");
            if operation["security"].as_array().is_some_and(|needed| !needed.is_empty()) {
                for status in ["400", "401", "503"] {
                    assert!(
                        operation["responses"][status].is_object(),
                        "{what} does not say that it may answer {status}"
                    );
                }
            }
        }
    }
    assert!(names.len() >= 7, "{names:?}");
}

#[tokio::test]
async fn the_page_to_try_it_out_needs_nothing_from_elsewhere() {
    let app = App::in_memory().await;
    let page = app.get("/docs").send().await;
    assert_eq!(page.status, 200);
    for path in ["/docs", "/docs/"] {
        let page = app.get(path).send().await;
        assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")), "{path}");
    }
    for tag in ["<script src=\"http", "<link rel=\"stylesheet\" href=\"http", "src=\"//"] {
        assert!(!page.body.contains(tag), "{tag}");
    }
    let root = app.get("/").send().await;
    assert_eq!(root.status, 302);
    assert_eq!(root.header("Location"), Some("docs"), "relative: the server may be below a path of a proxy");
}

#[tokio::test]
async fn a_token_is_in_the_header_or_in_the_cookie() {
    let app = App::in_memory().await;
    let document = app.get("/openapi.json").send().await.json();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let bearer: Vec<&Value> = schemes.values().filter(|scheme| scheme["scheme"] == "bearer").collect();
    assert_eq!(bearer.len(), 1);
    assert_eq!(bearer[0]["type"], "http");
    assert_eq!(document["paths"]["/user/"]["get"]["security"], json!([{ "bearer": [] }, { "cookie": [] }]));
    assert_eq!(document["paths"]["/auth/csrf"]["get"]["security"], json!([{ "cookie": [] }]));
    assert_eq!(document["components"]["securitySchemes"]["cookie"]["in"], "cookie");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn the_body_of_a_registration_is_described() {
    let app = App::in_memory().await;
    let document = app.get("/openapi.json").send().await.json();
    let body = &document["paths"]["/user/"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/RegisterRequest");
    let schema = &document["components"]["schemas"]["RegisterRequest"];
    assert_eq!(schema["required"], json!(["email", "username", "password"]));
}
