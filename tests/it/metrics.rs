//! Metrics: their names follow the rules of Prometheus (one unit a name, base units, one type), and labels have few values.

use std::collections::BTreeMap;

use auth_tests::App;

/// What a gauge may count or measure. A name ends in one of these, or in one of them and a state.
const UNITS: &[&str] = &[
    "seconds",
    "bytes",
    "ratio",
    "entries",
    "tokens",
    "users",
    "followers",
    "letters",
    "partitions",
    "connections",
    "requests",
    "jobs",
    "rounds",
    "keys",
];
const STATES: &[&str] = &["in_flight", "queued", "running", "limit", "remembered"];

/// With it there are the metrics of managed keys, too.
const MASTER_KEY: &str = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=";

/// Gauges that are 0 or 1.
const FLAGS: &[&str] = &["fresh", "unacknowledged"];

#[tokio::test]
async fn every_metric_has_one_unit_in_its_name_and_one_type() {
    let app = App::in_memory_with(&[("AUTH_MASTER_KEY", MASTER_KEY)]).await;
    let token = app.register("ada").await.text("Authorization");
    assert_eq!(app.get("/user/me").bearer(&token).send().await.status, 200);
    assert_eq!(app.try_login("ada@example.com", "wrong").await.status, 401);
    assert_eq!(app.logout(&token).await.status, 200);
    let text = app.get("/metrics").send().await.body;
    let mut types = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert_eq!(types.insert(name, kind), None, "{name} has two types");
    }
    assert!(types.len() >= 20, "{types:?}");
    for (name, kind) in types {
        let base = name.strip_prefix("auth_").unwrap_or_else(|| panic!("{name} does not say whose it is"));
        let ends = |base: &str, words: &[&str]| {
            words.iter().find_map(|word| base.strip_suffix(word)?.strip_suffix('_').map(str::to_owned))
        };
        let unit_at_the_end = |base: &str| ends(base, UNITS).is_some();
        match kind {
            "counter" => assert!(name.ends_with("_total") && !name.ends_with("_count_total"), "{name}"),
            "histogram" => assert!(name.ends_with("_seconds") || name.ends_with("_bytes"), "{name}"),
            "gauge" => {
                let before_state = ends(base, STATES).unwrap_or_else(|| base.to_owned());
                let is_flag = ends(base, FLAGS).is_some();
                assert!(is_flag || unit_at_the_end(&before_state), "{name} does not end in a unit: {UNITS:?}");
                assert!(!name.ends_with("_total"), "{name}");
            }
            other => panic!("{name} is a {other}"),
        }
        for derived in ["_milliseconds", "_ms", "_micros", "_us", "_kib", "_mib", "_minutes", "_percent"] {
            assert!(!base.trim_end_matches("_total").ends_with(derived), "{name} is not in a base unit");
        }
        // A label that says what a series counts makes a name of several units.
        assert!(
            !text.lines().any(|line| line.starts_with(&format!("{name}{{what=")) && kind != "counter"),
            "{name} has several units"
        );
    }
}

#[tokio::test]
async fn metrics_count_by_route_and_result_with_few_labels() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let token = app.login("ada").await;
    let me = app.get("/user/me").bearer(&token).send().await.text("public_id");
    assert_eq!(app.get(&format!("/user/{me}")).bearer(&token).send().await.status, 200);
    for path in ["/a", "/b", "/c"] {
        assert_eq!(app.get(path).send().await.status, 404);
    }
    let text = app.get("/metrics").send().await.body;
    for line in [
        r#"auth_http_requests_total{method="GET",route="unmatched",status="404"} 3"#,
        r#"auth_http_requests_total{method="GET",route="/user/{public_id}",status="200"} 1"#,
        r#"auth_logins_total{result="ok"} 1"#,
        r#"auth_registrations_total{result="ok"} 1"#,
        r#"auth_token_checks_total{result="ok"} 2"#,
        r#"auth_password_jobs_total{result="completed"} 2"#,
    ] {
        assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn what_happens_to_sessions_is_counted() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let lost = app.login("ada").await;
    let (stolen, here) = (app.login_to_refresh("ada").await, app.login_to_refresh("ada").await);
    assert_eq!(app.logout(&lost).await.status, 200);
    for _ in 0..3 {
        assert_eq!(app.refresh(&stolen.text("refresh_token")).await.status, 200);
    }
    app.advance(std::time::Duration::from_mins(1));
    for _ in 0..2 {
        assert_eq!(app.refresh(&stolen.text("refresh_token")).await.status, 401);
    }
    let token = here.text("Authorization");
    assert_eq!(app.post("/auth/logout-others").bearer(&token).send().await.status, 200);
    let text = app.get("/metrics").send().await.body;
    for line in [
        r#"auth_sessions_opened_total{kind="token"} 2"#,
        r#"auth_sessions_opened_total{kind="refresh"} 2"#,
        r#"auth_session_refreshes_total{result="ok"} 1"#,
        r#"auth_session_refreshes_total{result="repeated"} 2"#,
        r#"auth_session_refreshes_total{result="reused"} 1"#,
        r#"auth_session_refreshes_total{result="refused"} 1"#,
        r#"auth_sessions_ended_total{reason="logout"} 1"#,
        r#"auth_sessions_ended_total{reason="refresh_reuse"} 1"#,
        r#"auth_sessions_ended_total{reason="session_ended"} 1"#,
        "auth_sessions_purged_total 0",
    ] {
        assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
    }
}
