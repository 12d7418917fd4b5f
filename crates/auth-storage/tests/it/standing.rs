//! Servers that answer with what was true some time ago.

use auth_core::blacklist::Position;
use auth_core::{RevocationLog as _, RevocationSource as _, SideEffects, StoreError, StoreErrorKind, UserStore as _};
use auth_storage::{ConnectError, ConnectOptions, Database, NotPrimary, SeaRevocationLog, SeaUserStore, connect};
use auth_testing::databases::{OwnServer, PgBouncer, Proxy, TestDatabaseKind};
use tokio::time::Instant;

use crate::support::{claims, heals, logout, new_user, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_until_it_is_promoted() {
    let Some(mut primary) = OwnServer::start(TestDatabaseKind::Postgres).await else { return };
    let (proxy, url) = Proxy::before(&primary.database()).await.unwrap();
    open(&primary.database()).await;
    let standby = primary.standby().await;
    let through_the_proxy = primary.database().at(url);
    let (opened, users, log) = open(&through_the_proxy).await;
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    log.append(&[logout()]).await.unwrap();

    let refused = connect(standby.database().url(), ConnectOptions::default()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::NotPrimary(NotPrimary::Standby)), "{refused:?}");

    if let Some(pooler) = PgBouncer::before(&standby.database(), "transaction").await {
        let refused = connect(pooler.database(&standby.database()).url(), ConnectOptions::default()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::NotPrimary(NotPrimary::Standby)), "{refused:?}");
    }

    // The address leads to the standby now, and every connection is made anew.
    proxy.lead_to(&standby.database());
    proxy.sever();
    is_refused(&opened, &users, &log, "Standby").await;

    primary.crash().await;
    standby.promote().await;
    let page = heals(async || log.read_after(Position(0), 10).await).await;
    assert_eq!(page.head, Position(1), "what was acknowledged is there");
    assert_eq!(users.find_by_id(ada.id).await.unwrap().unwrap().id, ada.id);
    log.append(&[logout()]).await.unwrap();
    opened.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_hosts_the_primary_is_used_and_followed_to_the_next_one() {
    let Some(mut primary) = OwnServer::start(TestDatabaseKind::Postgres).await else { return };
    open(&primary.database()).await;
    let standby = primary.standby().await;
    let host = |server: &OwnServer| {
        let url = server.database().url().to_owned();
        url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0.to_owned()
    };
    // Nobody listens at the first one, and the second one is a standby for now.
    let hosts = format!("127.0.0.1:1,{},{}", host(&standby), host(&primary));
    let url = format!("postgres://postgres@{hosts}/postgres?target_session_attrs=read-write");
    let opened = connect(&url, ConnectOptions::default()).await.unwrap();
    let log = SeaRevocationLog::new(opened.clone());
    log.append(&[logout()]).await.unwrap();

    primary.crash().await;
    standby.promote().await;
    let page = heals(async || log.read_after(Position(0), 10).await).await;
    assert_eq!(page.head, Position(1), "what was acknowledged is there");
    // More at a time than connections were open: new ones are made to the new primary too.
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                let deadline = Instant::now() + std::time::Duration::from_secs(30);
                while let Err(error) = log.append(&[logout()]).await {
                    assert!(Instant::now() < deadline, "it does not heal: {error:?}");
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert!(opened.pool_stats().open > 1, "{:?}", opened.pool_stats());
    opened.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_mariadb_is_refused_on_connections_that_live_on() {
    let Some(server) = OwnServer::start(TestDatabaseKind::MySql).await else { return };
    let (opened, users, log) = open(&server.database()).await;
    users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    log.append(&[logout()]).await.unwrap();
    for round in 0..2 {
        server.execute("SET GLOBAL read_only = 1").await;
        // The very next read of the log, on a connection that is open.
        let error = log.read_after(Position(0), 10).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert!(format!("{error:?}").contains("ReadOnly"), "{error:?}");
        assert_eq!(log.covers(&claims()).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
        is_refused(&opened, &users, &log, "ReadOnly").await;
        let refused = connect(server.database().url(), ConnectOptions::default()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::NotPrimary(NotPrimary::ReadOnly)), "{refused:?}");

        server.execute("SET GLOBAL read_only = 0").await;
        let page = heals(async || log.read_after(Position(0), 10).await).await;
        assert_eq!(page.head, Position(1 + round));
        heals(async || log.append(&[logout()]).await).await;
    }
}

/// PgBouncer goes on to serve its clients while the server behind it becomes another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_behind_a_pooler_is_refused_until_it_is_promoted() {
    let Some(mut primary) = OwnServer::start(TestDatabaseKind::Postgres).await else { return };
    let (proxy, url) = Proxy::before(&primary.database()).await.unwrap();
    open(&primary.database()).await;
    let standby = primary.standby().await;
    let before_the_pooler = primary.database().at(url);
    let Some(pooler) = PgBouncer::before(&before_the_pooler, "transaction").await else { return };
    let (opened, users, log) = open(&pooler.database(&before_the_pooler)).await;
    log.append(&[logout()]).await.unwrap();
    proxy.lead_to(&standby.database());
    proxy.sever();
    is_refused(&opened, &users, &log, "Standby").await;
    primary.crash().await;
    standby.promote().await;
    let page = heals(async || log.read_after(Position(0), 10).await).await;
    assert_eq!(page.head, Position(1), "what was acknowledged is there");
    heals(async || log.append(&[logout()]).await).await;
}

/// Every way to the server is closed soon, those that only read included, and the errors say why.
async fn is_refused(opened: &Database, users: &SeaUserStore, log: &SeaRevocationLog, why: &str) {
    // A connection that was checked less than a second ago may be used once more, but not to read the log.
    let deadline = Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let outcomes: [Result<(), StoreError>; 4] = [
            log.read_after(Position(0), 10).await.map(drop),
            log.covers(&claims()).await.map(drop),
            opened.ping().await,
            users.list(None, 10).await.map(drop),
        ];
        let refused = outcomes.iter().all(|outcome| {
            outcome
                .as_ref()
                .is_err_and(|error| error.kind() == StoreErrorKind::Unavailable && format!("{error:?}").contains(why))
        });
        if refused {
            return;
        }
        assert!(Instant::now() < deadline, "{outcomes:?}");
    }
}
