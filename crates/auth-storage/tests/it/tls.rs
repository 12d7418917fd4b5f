//! What the options of a URL make of a connection with TLS.

use auth_storage::{ConnectError, ConnectOptions, connect};
use auth_test_db::{Certificate, Kind, OwnServer};

/// Whether a connection comes about with these options.
async fn connects(address: &str, options: &str) -> bool {
    match connect(&format!("{address}?{options}"), ConnectOptions::default()).await {
        Ok(database) => database.close().await.is_ok(),
        Err(ConnectError::Unreachable(_)) => false,
        Err(other) => panic!("{options}: {other}"),
    }
}

#[tokio::test]
async fn a_root_certificate_is_verified_wherever_a_url_names_one_on_postgresql() {
    let (Some(shown), Some(other)) = (Certificate::new(), Certificate::new()) else { return };
    let settings = shown.settings(Kind::Postgres);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(server) = OwnServer::start_with(Kind::Postgres, &settings).await else { return };
    let by_address = server.database().url().to_owned();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let (root, other) = (shown.path().display().to_string(), other.path().display().to_string());
    for (address, options, expected) in [
        (&by_address, "sslmode=require".to_owned(), true),
        (&by_address, format!("sslmode=require&sslrootcert={root}"), true),
        (&by_address, format!("sslmode=require&sslrootcert={other}"), false),
        (&by_address, format!("sslrootcert={other}"), false),
        (&by_address, format!("sslmode=verify-ca&sslrootcert={other}"), false),
        (&by_name, format!("sslmode=require&sslrootcert={root}"), true),
        (&by_address, format!("sslmode=verify-full&sslrootcert={root}"), true),
        (&by_name, format!("sslmode=verify-full&sslrootcert={root}"), false),
        (&by_address, "sslrootcert=system".to_owned(), false),
    ] {
        assert_eq!(connects(address, &options).await, expected, "{options}");
    }
}

#[tokio::test]
async fn a_root_certificate_is_verified_wherever_a_url_names_one_on_mysql() {
    let (Some(shown), Some(other)) = (Certificate::new(), Certificate::new()) else { return };
    let settings = shown.settings(Kind::MySql);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(server) = OwnServer::start_with(Kind::MySql, &settings).await else { return };
    let by_address = server.database().url().to_owned();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let (root, other) = (shown.path().display().to_string(), other.path().display().to_string());
    for (address, options, expected) in [
        (&by_address, "ssl-mode=REQUIRED".to_owned(), true),
        (&by_address, format!("ssl-mode=REQUIRED&ssl-ca={root}"), true),
        (&by_address, format!("ssl-mode=REQUIRED&ssl-ca={other}"), false),
        (&by_address, format!("ssl-ca={other}"), false),
        (&by_name, format!("ssl-mode=VERIFY_CA&ssl-ca={root}"), true),
        (&by_address, format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={root}"), true),
        (&by_name, format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={root}"), false),
    ] {
        assert_eq!(connects(address, &options).await, expected, "{options}");
    }
}
