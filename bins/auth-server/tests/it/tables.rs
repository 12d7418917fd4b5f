//! The tables of the server beside those of other applications.

use auth_storage::{ConnectOptions, Database, connect};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;

use crate::process::{Server, operate};

#[test]
fn migrate_down_says_what_it_deletes_and_needs_a_yes() {
    let folder = TempDir::new().unwrap();
    assert_eq!(operate(&folder, &[], &["migrate", "up"]).0, 0);
    let account = r#"{"email":"ada@example.com","username":"ada","password":"123456"}"#;
    assert_eq!(Server::start(&folder, &[]).call("POST", "/user/", None, account).0, 201);

    let down = ["migrate", "down", "--steps", "99"];
    let (code, shown, error) = operate(&folder, &[], &down);
    assert!(code == 1 && error.contains("--yes"), "{code} {error}");
    assert!(shown.contains("users with 1 rows") && shown.contains("blacklist_head with 1 rows"), "{shown}");
    assert_eq!(operate(&folder, &[], &["migrate", "status"]).0, 0, "nothing was deleted");

    let (code, shown, error) = operate(&folder, &[], &[&down[..], &["--yes"]].concat());
    assert!(code == 0 && shown.contains("pending"), "{shown} {error}");
    assert!(!shown.contains("applied"), "{shown}");
    assert_eq!(operate(&folder, &[], &["migrate", "status"]).0, 1);
    let (code, shown, _) = operate(&folder, &[], &down);
    assert!(code == 0 && !shown.contains("deletes"), "there is nothing to ask about: {shown}");
}

#[tokio::test]
async fn a_server_neither_starts_on_tables_of_another_application_nor_stays_ready_beside_them() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&folder, &[]);
    assert_eq!(server.call("GET", "/readyz", None, "").0, 200);
    let database = database(&folder).await;
    let users = users_of(&database).await;
    let replaced =
        format!("DROP TABLE {users}; CREATE TABLE {users} (id INT, name TEXT); INSERT INTO {users} VALUES (1, 'one')");
    database.connection().execute_unprepared(&replaced).await.unwrap();
    assert_eq!(server.call("GET", "/readyz", None, "").0, 503);

    let serve = ["serve"].as_slice();
    let off = [("AUTH_MIGRATE", "off")];
    for (settings, arguments) in
        [(&[][..], serve), (&off[..], serve), (&[], &["migrate", "up"]), (&[], &["migrate", "status"])]
    {
        let (code, _, error) = operate(&folder, settings, arguments);
        assert!(code == 1 && error.contains(&format!("`{users}`")), "{arguments:?}: {error}");
        assert!(error.contains("there are no columns `email`, `email_key`"), "{arguments:?}: {error}");
        assert!(error.contains("AUTH_DATABASE_TABLE_PREFIX"), "{arguments:?}: {error}");
    }
    let (code, shown, _) = operate(&folder, &[], &["migrate", "down", "--steps", "99", "--yes"]);
    assert!(code == 0 && shown.contains("is not ours"), "{shown}");
    let row =
        database.connection().execute_unprepared(&format!("UPDATE {users} SET name = 'still there'")).await.unwrap();
    assert_eq!(row.rows_affected(), 1);
}

async fn database(folder: &TempDir) -> Database {
    let url = format!("sqlite://{}", folder.path().join("data/auth.db").display());
    connect(&url, ConnectOptions::default()).await.unwrap()
}

async fn users_of(database: &Database) -> String {
    auth_migrations::Migrations::new().layout(database.connection()).await.unwrap().table("users")
}
