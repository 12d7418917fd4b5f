//! No secret of the configuration is written, whatever fails and at every log level.

use std::net::TcpListener;

use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use tempfile::TempDir;

use crate::process::{PASSWORD, STRONG_SECRET, Server, member, operate};

const DATABASE_PASSWORD: &str = "s3cr3t-of-the-database";

/// The log targets of all libraries of the server, at their finest level.
const EVERYTHING: &str = "trace,sqlx=trace,sqlx_core=trace,sqlx_postgres=trace,sqlx_mysql=trace,sqlx_sqlite=trace,\
                          sea_orm=trace,sea_orm_migration=trace,rustls=trace,hyper=trace,h2=trace,tokio=trace";

fn assert_silent(output: &str, hidden: &[&str], about: &str) {
    for secret in [&[DATABASE_PASSWORD, STRONG_SECRET, PASSWORD], hidden].concat() {
        assert!(!output.contains(secret), "{about}: {secret:?} was written:\n{output}");
    }
}

#[test]
fn a_database_that_cannot_be_used_gives_no_password_away() {
    let folder = TempDir::new().unwrap();
    // This listener closes every connection at once.
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = rude.local_addr().unwrap().port();
    std::thread::spawn(move || rude.incoming().for_each(drop));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secret = DATABASE_PASSWORD;
    let mut urls = Vec::new();
    for scheme in ["postgres", "mysql"] {
        let tls = if scheme == "mysql" { "ssl-mode=REQUIRED" } else { "sslmode=require" };
        urls.extend([
            format!("{scheme}://u:{secret}@127.0.0.1:{nobody}/d"),
            format!("{scheme}://u:{secret}@127.0.0.1:{port}/d"),
            format!("{scheme}://u:{secret}@127.0.0.1:{port}/d?{tls}"),
            format!("{scheme}://u:{secret}@[::1]:{nobody}/d"),
            format!("{scheme}://u:{secret}@127.0.0.1:{nobody}/d?sslpassword={secret}"),
            format!("{scheme}://u:{secret}@127.0.0.1:{nobody}/d?unknown={secret}&{tls}"),
            format!("{scheme}://u:{secret}@127.0.0.1:{nobody}/d?sslmode={secret}"),
            format!("{scheme}://u:{secret}@127.0.0.1:{secret}/d"),
            format!("{scheme}://u:a@{secret}@/d"),
            format!("{scheme}://u:x/{secret}@127.0.0.1/d"),
            format!("{scheme}://u:x?{secret}@127.0.0.1/d"),
            format!("{scheme}://u:x#{secret}@127.0.0.1/d"),
            format!("{scheme}:{secret}"),
        ]);
    }
    urls.extend([
        format!("postgres://u@127.0.0.1:{nobody}/d?password={secret}&options=-c%20x={secret}"),
        format!("postgres://u@127.0.0.1:{nobody}/d?password=a&{secret}"),
        format!("sqlite://auth.db?key={secret}"),
        secret.to_owned(),
    ]);
    for url in &urls {
        for log in [EVERYTHING, "off"] {
            let settings =
                [("AUTH_DATABASE_URL", url.as_str()), ("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_LOG", log)];
            let codes = [["config", "check"].as_slice(), &["config", "show"], &["migrate", "status"], &["serve"]].map(
                |arguments| {
                    let (code, said, errors) = operate(&folder, &settings, arguments);
                    assert_silent(&(said + &errors), &[], &format!("{arguments:?}, exit code {code}"));
                    code
                },
            );
            // The check and the start agree on every URL. Those that pass fail because no database answers.
            assert!(matches!(codes, [78, 78, 78, 78] | [0, 0, 1, 1]), "{url}: {codes:?}");
        }
    }
}

auth_testing::on_every_database!(a_server_at_work_writes_no_secret);

async fn a_server_at_work_writes_no_secret(database: TestDatabase) {
    let folder = TempDir::new().unwrap();
    let url = match database.kind() {
        // The server trusts this user whatever the password is.
        TestDatabaseKind::Postgres => database.url().replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@")),
        // The user has no password, so that a wrong one is an error of the server.
        TestDatabaseKind::MySql => {
            let wrong = database.url().replace("root@", &format!("root:{DATABASE_PASSWORD}@"));
            let settings = [("AUTH_DATABASE_URL", wrong.as_str()), ("AUTH_LOG", EVERYTHING)];
            let (code, said, errors) = operate(&folder, &settings, &["serve"]);
            assert_silent(&(said + &errors), &[], "a wrong password");
            assert_eq!(code, 1, "{errors}");
            database.url().to_owned()
        }
        TestDatabaseKind::Sqlite => database.url().to_owned(),
    };
    let settings =
        [("AUTH_DATABASE_URL", url.as_str()), ("AUTH_TOKEN_SECRET", STRONG_SECRET), ("AUTH_LOG", EVERYTHING)];
    let mut server = Server::start(&folder, &settings);
    let account = format!(r#"{{"email":"ada@example.com","username":"ada","password":"{PASSWORD}"}}"#);
    let (_, answer) = server.call("POST", "/user/", None, &account);
    let token = member(&answer, "Authorization");
    let login = account.replace(r#""username":"ada","#, "");
    assert_eq!(server.call("POST", "/auth/login", None, &login).0, 200);
    assert_eq!(server.call("POST", "/auth/logout", Some(&token), "").0, 200);
    let (_, output) = server.terminate();
    assert_silent(&output, &[&token, "$2b$", "ada@example.com"], database.url());
}
