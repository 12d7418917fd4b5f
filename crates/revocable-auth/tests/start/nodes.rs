//! Instances over one database.

use std::time::Duration;

use auth_testing::databases::TestDatabase;
use revocable_auth::{
    AuthService, AuthenticateError, Blacklist as _, ConnectOptions, DEFAULT_MAX_STALENESS, KeyOptions, ManagedKeys,
    MasterKey, MasterKeys, Migrations, NewPersonalToken, Prefix, RefreshError, SessionKind, StartError, StoreErrorKind,
};

use crate::{builder, login, login_for, register};

auth_testing::on_every_database!(
    a_logout_is_refused_on_another_instance_within_the_bound,
    a_session_is_refreshed_and_ended_on_another_instance,
    a_personal_token_is_good_on_another_instance_and_refused_within_the_bound_after_its_deletion,
    managed_keys_are_shared_and_the_end_of_one_ends_its_tokens,
    tables_are_made_only_when_that_is_asked_for,
    a_database_that_was_opened_elsewhere_stays_open
);

async fn a_logout_is_refused_on_another_instance_within_the_bound(database: TestDatabase) {
    let here = builder().database_url(database.url()).start().await.unwrap();
    let there = builder().database_url(database.url()).start().await.unwrap();
    register(here.service()).await;
    let token = login(there.service()).await;
    let principal = here.service().authenticate(token.expose_token()).await.unwrap();
    assert!(there.service().authenticate(token.expose_token()).await.is_ok());

    here.service().logout(&principal).await.unwrap();
    let refused = here.service().authenticate(token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)));
    tokio::time::timeout(DEFAULT_MAX_STALENESS, refuses(there.service(), token.expose_token())).await.unwrap();

    here.stop().await.unwrap();
    there.stop().await.unwrap();
}

async fn a_session_is_refreshed_and_ended_on_another_instance(database: TestDatabase) {
    let here = builder().database_url(database.url()).start().await.unwrap();
    let there = builder().database_url(database.url()).start().await.unwrap();
    register(here.service()).await;
    let signed_in = login_for(here.service(), SessionKind::Renewable).await;
    let refreshed = there.service().refresh(&signed_in.refresh.unwrap().token).await.unwrap();
    let session = refreshed.session.unwrap();
    assert!(there.service().end_session_of(session.user_id, session.id).await.unwrap());
    let token = refreshed.token.expose_token();
    assert!(matches!(there.service().authenticate(token).await, Err(AuthenticateError::Revoked)));
    tokio::time::timeout(DEFAULT_MAX_STALENESS, refuses(here.service(), token)).await.unwrap();
    let next = refreshed.refresh.unwrap().token;
    assert!(matches!(here.service().refresh(&next).await, Err(RefreshError::Ended)));
    here.stop().await.unwrap();
    there.stop().await.unwrap();
}

async fn a_personal_token_is_good_on_another_instance_and_refused_within_the_bound_after_its_deletion(
    database: TestDatabase,
) {
    let scopes = || "orders:read orders:write".parse().unwrap();
    let here = builder().database_url(database.url()).user_scopes(scopes()).start().await.unwrap();
    let there = builder().database_url(database.url()).user_scopes(scopes()).start().await.unwrap();
    register(here.service()).await;
    let login = here.service().authenticate(login(here.service()).await.expose_token()).await.unwrap();
    let new =
        NewPersonalToken { name: "backup".parse().unwrap(), scopes: Some("orders:read".parse().unwrap()), life: None };
    let issued = here.service().create_personal_token(&login, new).await.unwrap();
    let token = issued.secret.expose_text(str::to_owned);
    let principal = there.service().authenticate(&token).await.unwrap();
    assert!(principal.has_scope("orders:read") && !principal.has_scope("orders:write"));
    assert!(here.service().delete_personal_token(login.user_id(), issued.token.id).await.unwrap());
    assert!(here.service().authenticate(&token).await.is_err());
    tokio::time::timeout(DEFAULT_MAX_STALENESS, refuses(there.service(), &token)).await.unwrap();
    here.stop().await.unwrap();
    there.stop().await.unwrap();
}

async fn managed_keys_are_shared_and_the_end_of_one_ends_its_tokens(database: TestDatabase) {
    let masters = || {
        let key = MasterKey::from_base64("q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=").unwrap();
        MasterKeys::new(key, None)
    };
    let node = || builder().database_url(database.url()).managed_keys(masters(), KeyOptions::default()).start();
    let (here, there) = (node().await.unwrap(), node().await.unwrap());
    register(here.service()).await;
    let token = login(here.service()).await;
    there.service().authenticate(token.expose_token()).await.unwrap();
    let keys = here.keys().unwrap();
    assert_eq!(keys.jwks(), there.keys().unwrap().jwks(), "one of them made the key");
    assert!(here.is_ready());

    let revoked = kid(keys);
    here.blacklist().note(&keys.revoke(&revoked).await.unwrap().unwrap());
    assert!(here.service().authenticate(token.expose_token()).await.is_err());
    tokio::time::timeout(DEFAULT_MAX_STALENESS, refuses(there.service(), token.expose_token())).await.unwrap();
    let token = login(here.service()).await;
    assert_ne!(kid(keys), revoked);
    there.service().authenticate(token.expose_token()).await.unwrap();
    here.stop().await.unwrap();
    there.stop().await.unwrap();
}

/// Returns the `kid` of the one key that is published.
fn kid(keys: &ManagedKeys) -> String {
    let jwks = keys.jwks().unwrap();
    let kids: Vec<_> = jwks.as_json().split(r#""kid":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(kids.len(), 1, "{}", jwks.as_json());
    kids[0].to_owned()
}

async fn refuses(auth: &AuthService, token: &str) {
    while auth.authenticate(token).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn tables_are_made_only_when_that_is_asked_for(database: TestDatabase) {
    let migrations = || Migrations::new().prefix(Prefix::parse("login_").unwrap());
    let node = || builder().database_url(database.url()).migrations(migrations());
    assert!(matches!(node().migrate(false).start().await, Err(StartError::NotMigrated)));
    node().start().await.unwrap().stop().await.unwrap();
    let again = node().migrate(false).start().await.unwrap();
    register(again.service()).await;
    assert!(format!("{:?}", again.database().unwrap().tables()).contains("login_users"));
    again.stop().await.unwrap();
}

async fn a_database_that_was_opened_elsewhere_stays_open(database: TestDatabase) {
    let opened = auth_storage::connect(database.url(), ConnectOptions::default()).await.unwrap();
    let auth = builder().database(opened.clone()).start().await.unwrap();
    auth.stop().await.unwrap();
    opened.ping().await.unwrap();
    opened.close().await.unwrap();
}

#[tokio::test]
async fn the_database_is_closed_in_the_end() {
    let auth = builder().start().await.unwrap();
    let database = auth.database().unwrap().clone();
    database.ping().await.unwrap();
    auth.stop().await.unwrap();
    assert_eq!(database.ping().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}
