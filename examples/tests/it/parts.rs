//! The examples of parts of your own: a user table, a hasher.

use std::sync::Arc;

use async_trait::async_trait;
use auth_conformance::{Backend, ContractCheck, StoresUnderTest, Task};
use auth_core::memory::MemoryStore;
use auth_core::{
    Context, Credentials, Email, LoginError, NewAccount, OneTimeTokenStore, Outbox, Password, RegisterError,
    UserStore as _, Username,
};
use auth_password::BcryptHasher;
use auth_storage::{ConnectOptions, SeaOutbox, connect};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm::ConnectionTrait as _;

use crate::custom_hasher::PepperedHasher;
use crate::own_users::members::{Members, Profile};
use crate::{PASSWORD, custom_hasher, own_users, register};

async fn adopted(url: &str) -> Members {
    let database = connect(url, ConnectOptions::default()).await.unwrap();
    own_users::old_table(&database).await.unwrap();
    own_users::adopt(database).await.unwrap()
}

/// The contract of every store, over the old table, on each database.
mod old_table {
    use auth_testing::databases::TestDatabaseKind;

    use super::try_with_old_table;

    mod sqlite {
        auth_conformance::conformance_tests!(|check| super::try_with_old_table(super::TestDatabaseKind::Sqlite, check));
    }

    mod postgres {
        auth_conformance::conformance_tests!(|check| super::try_with_old_table(
            super::TestDatabaseKind::Postgres,
            check
        ));
    }

    mod mysql {
        auth_conformance::conformance_tests!(|check| super::try_with_old_table(super::TestDatabaseKind::MySql, check));
    }
}

fn try_with_old_table(kind: TestDatabaseKind, check: ContractCheck) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(auth_testing::databases::run(kind, |database| async move {
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

    async fn one_time_tokens(&self) -> Option<Arc<dyn OneTimeTokenStore>> {
        let database = connect(self.database.url(), ConnectOptions::default()).await.unwrap();
        Some(Arc::new(Members::new(database).tokens()))
    }

    async fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        let database = connect(self.database.url(), ConnectOptions::default()).await.unwrap();
        Some(Arc::new(SeaOutbox::new(database)))
    }

    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

auth_testing::on_every_database!(an_old_member_logs_in_and_out_and_the_row_stays, a_registration_fills_every_column);

async fn an_old_member_logs_in_and_out_and_the_row_stays(database: TestDatabase) {
    let members = adopted(database.url()).await;
    let auth = own_users::service(&members).unwrap();
    let (email, password) = (Email::parse("ada@example.org").unwrap(), Password::parse(PASSWORD).unwrap());
    let session = auth.login(Credentials { email, password }, &Context::default()).await.unwrap().signed_in().unwrap();
    assert!(session.user.admin, "staff are admins");
    let principal = auth.authenticate(session.token.expose_token()).await.unwrap();
    auth.logout_everywhere(principal.user_id()).await.unwrap();
    assert!(auth.authenticate(session.token.expose_token()).await.is_err());
    let profile = Profile { language: "de".to_owned(), newsletter: true };
    assert_eq!(members.profile(session.user.id).await.unwrap(), Some(profile));
}

async fn a_registration_fills_every_column(database: TestDatabase) {
    let members = adopted(database.url()).await;
    let auth = own_users::service(&members).unwrap();
    let account = |mail: &str, nick: &str| NewAccount {
        email: Email::parse(mail).unwrap(),
        username: Username::parse(nick).unwrap(),
        password: Password::parse(PASSWORD).unwrap(),
    };
    let profile = Profile { language: "fr".to_owned(), newsletter: true };
    let register = async |account| {
        profile.clone().register(&auth, account, &Context::default()).await.map(|outcome| outcome.user().clone())
    };
    let grace = register(account("grace@example.org", "Grace")).await.unwrap();
    assert_eq!(members.profile(grace.id).await.unwrap(), Some(profile.clone()));
    assert_eq!(members.find_by_id(grace.id).await.unwrap(), Some(grace));

    // Keys decide, whatever the database calls them. Where both are taken, the address is what the client is told.
    for (mail, nick) in [("ADA@example.org", "another"), ("ada@example.org", "ada")] {
        let taken = register(account(mail, nick)).await;
        assert!(matches!(taken, Err(RegisterError::EmailTaken)), "{mail}, {nick}: {taken:?}");
    }
    let taken = register(account("another@example.org", "ADA")).await;
    assert!(matches!(taken, Err(RegisterError::UsernameTaken)), "{taken:?}");

    let created = auth.create_user(account("root@example.org", "root"), true).await.unwrap();
    assert_eq!(members.profile(created.id).await.unwrap(), Some(Profile::default()));
    assert_eq!(members.list(None, 10).await.unwrap().len(), 3);
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
