//! The examples of parts of your own: a user table, a hasher.

use std::sync::Arc;

use async_trait::async_trait;
use auth_conformance::{Backend, ContractCheck, StoresUnderTest, Task};
use auth_core::memory::MemoryStore;
use auth_core::{Context, Credentials, Email, LoginError, Password, UserStore as _};
use auth_password::BcryptHasher;
use auth_storage::{ConnectOptions, connect};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm::ConnectionTrait as _;

use crate::custom_hasher::PepperedHasher;
use crate::own_users::members::Members;
use crate::{PASSWORD, custom_hasher, own_users, register};

async fn adopted(url: &str) -> Members {
    let database = connect(url, ConnectOptions::default()).await.unwrap();
    database.connection().execute_unprepared(own_users::OLD_TABLE).await.unwrap();
    own_users::adopt(database).await.unwrap()
}

/// The contract of every store, over the old table.
mod old_table {
    auth_conformance::conformance_tests!(super::try_with_old_table);
}

fn try_with_old_table(check: ContractCheck) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(auth_testing::databases::run(TestDatabaseKind::Sqlite, |database| async move {
        drop(adopted(database.url()).await);
        // The contract begins with an empty table.
        let connection = connect(database.url(), ConnectOptions::default()).await.unwrap();
        connection.connection().execute_unprepared("DELETE FROM members").await.unwrap();
        connection.close().await.unwrap();
        check.assert(&OldTable { database }).await;
    }));
}

struct OldTable {
    database: TestDatabase,
}

#[async_trait]
impl Backend for OldTable {
    async fn open(&self) -> StoresUnderTest {
        let database = connect(self.database.url(), ConnectOptions::default()).await.unwrap();
        let members = Members::new(database);
        let log = members.log();
        StoresUnderTest::new(Arc::new(members), Arc::new(log))
    }

    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

#[tokio::test]
async fn an_old_member_logs_in_and_out_and_the_row_stays() {
    let members = adopted("sqlite::memory:").await;
    let auth = own_users::service(&members).unwrap();
    let (email, password) = (Email::parse("ada@example.org").unwrap(), Password::parse(PASSWORD).unwrap());
    let session = auth.login(Credentials { email, password }, &Context::default()).await.unwrap().signed_in().unwrap();
    assert!(session.user.admin, "staff are admins");
    let principal = auth.authenticate(session.token.expose_token()).await.unwrap();
    auth.logout_everywhere(principal.user_id()).await.unwrap();
    assert!(auth.authenticate(session.token.expose_token()).await.is_err());

    let newcomer = register(&auth, "grace").await;
    assert_eq!(members.list(None, 10).await.unwrap().len(), 2);
    assert_eq!(members.find_by_id(newcomer.user.id).await.unwrap(), Some(newcomer.user));
}

#[tokio::test]
async fn a_password_is_good_with_its_pepper_only() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let with_pepper = |pepper| {
        let hasher = PepperedHasher::new([pepper; 32], BcryptHasher::new(4).unwrap());
        custom_hasher::service(Arc::clone(&store), hasher).unwrap()
    };
    let credentials = || Credentials {
        email: Email::parse("ada@example.org").unwrap(),
        password: Password::parse(PASSWORD).unwrap(),
    };
    register(&with_pepper(1), "ada").await;
    assert!(with_pepper(1).login(credentials(), &Context::default()).await.is_ok());
    assert!(matches!(
        with_pepper(2).login(credentials(), &Context::default()).await,
        Err(LoginError::InvalidCredentials)
    ));

    // bcrypt alone would refuse so long a password.
    let long = Password::parse(&"correct horse battery staple ".repeat(8)).unwrap();
    let hasher = PepperedHasher::new([1; 32], BcryptHasher::new(4).unwrap());
    let hash = auth_core::PasswordHasher::hash(&hasher, &long).unwrap();
    assert_eq!(auth_core::PasswordHasher::verify(&hasher, &long, &hash).unwrap(), auth_core::Verdict::Match);
}
