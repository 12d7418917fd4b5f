//! What the options of a URL make of a connection with TLS.

use auth_storage::{ConnectError, ConnectOptions, connect};
use auth_testing::databases::{Certificate, OwnServer, TestDatabaseKind};

/// Whether a connection comes about with these options.
async fn connects(address: &str, options: &str) -> bool {
    match connect(&format!("{address}?{options}"), ConnectOptions::default()).await {
        Ok(database) => database.close().await.is_ok(),
        Err(ConnectError::Unreachable(_)) => false,
        Err(other) => panic!("{options}: {other}"),
    }
}

/// Where a URL leads to: the certificate of the server is for the address and for no name.
#[derive(Clone, Copy)]
enum By {
    Address,
    Name,
}

/// Tries each case on a server of its own. `{root}` stands for the server's certificate, `{other}` for another one.
async fn try_all(kind: TestDatabaseKind, cases: &[(By, &str, bool)]) {
    let (Some(shown), Some(other)) = (Certificate::new(), Certificate::new()) else { return };
    let settings = shown.settings(kind);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(server) = OwnServer::start_with(kind, &settings).await else { return };
    let by_address = server.database().url().to_owned();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let (root, other) = (shown.path().display().to_string(), other.path().display().to_string());
    for (by, options, expected) in cases {
        let address = if matches!(by, By::Address) { &by_address } else { &by_name };
        let given = options.replace("{root}", &root).replace("{other}", &other);
        assert_eq!(connects(address, &given).await, *expected, "{options}");
    }
}

#[tokio::test]
async fn a_root_certificate_is_verified_wherever_a_url_names_one_on_postgresql() {
    let cases = [
        (By::Address, "sslmode=require", true),
        (By::Address, "sslmode=require&sslrootcert={root}", true),
        (By::Address, "sslmode=require&sslrootcert={other}", false),
        (By::Address, "sslrootcert={other}", false),
        (By::Address, "sslmode=verify-ca&sslrootcert={other}", false),
        (By::Name, "sslmode=require&sslrootcert={root}", true),
        (By::Address, "sslmode=verify-full&sslrootcert={root}", true),
        (By::Name, "sslmode=verify-full&sslrootcert={root}", false),
        (By::Address, "sslrootcert=system", false),
    ];
    try_all(TestDatabaseKind::Postgres, &cases).await;
}

#[tokio::test]
async fn a_root_certificate_is_verified_wherever_a_url_names_one_on_mysql() {
    let cases = [
        (By::Address, "ssl-mode=REQUIRED", true),
        (By::Address, "ssl-mode=REQUIRED&ssl-ca={root}", true),
        (By::Address, "ssl-mode=REQUIRED&ssl-ca={other}", false),
        (By::Address, "ssl-ca={other}", false),
        (By::Name, "ssl-mode=VERIFY_CA&ssl-ca={root}", true),
        (By::Address, "ssl-mode=VERIFY_IDENTITY&ssl-ca={root}", true),
        (By::Name, "ssl-mode=VERIFY_IDENTITY&ssl-ca={root}", false),
    ];
    try_all(TestDatabaseKind::MySql, &cases).await;
}
