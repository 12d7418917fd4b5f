//! The list of users, page by page.

use std::time::Duration;

use auth_testing::databases::TestDatabase;
use auth_tests::{App, assert_refused};
use serde_json::Value;

/// What an id tells apart.
const TICK: Duration = Duration::from_millis(1);

auth_testing::on_every_database!(
    pages_hold_every_user_once_in_order_of_registration,
    who_registers_meanwhile_comes_last_and_nobody_is_missed,
);

async fn pages_hold_every_user_once_in_order_of_registration(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    let mut expected = vec!["root".to_owned()];
    for number in 0..6 {
        let name = format!("user{number}");
        app.advance(TICK);
        app.register(&name).await;
        expected.push(name);
    }
    for limit in [1, 2, 3, 7, 8, 100] {
        let mut seen = Vec::new();
        let mut path = format!("/user/?limit={limit}");
        loop {
            let (names, next) = page(&app, &path, &admin).await;
            assert!(names.len() <= limit);
            seen.extend(names);
            let Some(next) = next else { break };
            path = format!("/user/?limit={limit}&after={next}");
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
    let (names, next) = page(&app, "/user", &admin).await;
    assert_eq!((names, next), (expected, None), "without a limit, and without the slash");
}

async fn who_registers_meanwhile_comes_last_and_nobody_is_missed(database: TestDatabase) {
    let app = App::start(&database).await;
    let admin = app.admin("root").await;
    for name in ["user0", "user1"] {
        app.advance(TICK);
        app.register(name).await;
    }
    let (first, next) = page(&app, "/user/?limit=2", &admin).await;
    assert_eq!(first, ["root", "user0"]);
    app.advance(TICK);
    app.register("user2").await;
    let next = next.expect("there is more");
    let (second, next) = page(&app, &format!("/user/?limit=2&after={next}"), &admin).await;
    assert_eq!((second, next), (vec!["user1".to_owned(), "user2".to_owned()], None));
}

#[tokio::test]
async fn a_page_nobody_could_want_is_refused() {
    let app = App::in_memory().await;
    let admin = app.admin("root").await;
    for query in ["limit=0", "limit=-1", "limit=x", "limit=", "limit=99999999999", "after=x", "after=%00"] {
        let answer = app.get(&format!("/user/?{query}")).bearer(&admin).send().await;
        assert_refused(&answer, 400, "validation_failed", query);
    }
    let both = app.get("/user/?limit=0&after=x").bearer(&admin).send().await;
    assert_eq!(both.json()["errors"].as_object().map(serde_json::Map::len), Some(2), "{}", both.body);
}

async fn page(app: &App, path: &str, token: &str) -> (Vec<String>, Option<String>) {
    let answer = app.get(path).bearer(token).send().await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let body = answer.json();
    let names =
        body["data"].as_array().expect("a page").iter().map(|user| user["username"].as_str().unwrap().to_owned());
    let next = match &body["next"] {
        Value::Null => None,
        next => Some(next.as_str().expect("a cursor is text").to_owned()),
    };
    (names.collect(), next)
}
