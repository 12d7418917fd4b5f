//! Writes that the database gives up, or whose outcome nobody knows: each is repeated, and made exactly once.

use std::sync::Arc;

use auth_core::blacklist::{LogEntry, Position};
use auth_core::throttle::{AttemptKey, Change, Counter};
use auth_core::{
    AttemptStore, Generation, InsertUserError, PasswordHash, RevocationLog, RevocationSource as _, SideEffects,
    StoreErrorKind, UserChange, UserId, UserStore,
};
use auth_storage::{ConnectOptions, Database, SeaAttemptStore, SeaRevocationLog, SeaUserStore, connect};
use auth_testing::databases::{Line, Proxy, TestDatabase, TestDatabaseKind};
use sea_orm::sqlx::Executor as _;
use tokio::task::JoinSet;

use crate::support::{execute, logout, new_user, number, of_store, open, open_with, query, revoke_all};

mod postgres {
    auth_testing::on_database!(
        Postgres: what_the_database_gives_up_is_made_once_in_the_end,
        what_it_never_stops_giving_up_is_unavailable,
        what_was_committed_without_an_answer_is_not_made_again,
        nodes_at_serializable_lose_nothing_and_skip_nothing
    );
}
mod mysql {
    auth_testing::on_database!(
        MySql: what_the_database_gives_up_is_made_once_in_the_end,
        what_it_never_stops_giving_up_is_unavailable,
        what_was_committed_without_an_answer_is_not_made_again,
        sessions_wait_for_what_a_cluster_has_committed
    );
}

/// Errors with which a database gives a transaction up. After the second group the outcome of a `COMMIT` is unknown.
pub(crate) fn conflicts(kind: TestDatabaseKind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        TestDatabaseKind::Postgres => (&["40001", "40P01"], &["40003"]),
        _ => (&["1213", "1205", "1020"], &["1180", "1047"]),
    }
}

/// Lets the first `times` writes to each of the tables fail: on PostgreSQL at their `COMMIT`, on MariaDB at the statement.
pub(crate) async fn inject(database: &Database, kind: TestDatabaseKind, code: &str, times: u32) {
    for table in TABLES {
        // What a sequence has given is not taken back by a rollback.
        execute(database, &format!("CREATE SEQUENCE faults_{table}")).await;
        let last = if kind == TestDatabaseKind::Postgres {
            let function = format!(
                "CREATE FUNCTION fail_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('faults_{table}') <= {times} THEN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; \
                 END IF; RETURN NULL; END $$"
            );
            execute(database, &function).await;
            vec![format!(
                "CREATE CONSTRAINT TRIGGER fail_{table} AFTER INSERT OR UPDATE ON {table} \
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_{table}()"
            )]
        } else {
            let trigger = |event: &str| {
                format!(
                    "CREATE TRIGGER fail_{event}_{table} BEFORE {event} ON {table} FOR EACH ROW \
                     IF NEXTVAL(faults_{table}) <= {times} THEN SIGNAL SQLSTATE '40001' \
                     SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'injected'; END IF"
                )
            };
            vec![trigger("INSERT"), trigger("UPDATE")]
        };
        for statement in last {
            execute(database, &statement).await;
        }
    }
}

/// Takes back what [`inject`] did, if it did.
pub(crate) async fn heal(database: &Database, kind: TestDatabaseKind) {
    for table in TABLES {
        let statements = match kind {
            TestDatabaseKind::Postgres => {
                vec![
                    format!("DROP TRIGGER IF EXISTS fail_{table} ON {table}"),
                    format!("DROP FUNCTION IF EXISTS fail_{table}()"),
                ]
            }
            _ => vec![
                format!("DROP TRIGGER IF EXISTS fail_INSERT_{table}"),
                format!("DROP TRIGGER IF EXISTS fail_UPDATE_{table}"),
            ],
        };
        for statement in statements.into_iter().chain([format!("DROP SEQUENCE IF EXISTS faults_{table}")]) {
            execute(database, &statement).await;
        }
    }
}

const TABLES: [&str; 3] = ["auth_users", "auth_blacklist", "auth_attempts"];

async fn what_the_database_gives_up_is_made_once_in_the_end(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    let attempts = SeaAttemptStore::new(opened.clone());
    let (rolled_back, unknown) = conflicts(database.kind());
    let mut head = 0;
    for (round, code) in rolled_back.iter().chain(unknown).enumerate() {
        inject(&opened, database.kind(), code, 3).await;
        let user = users.insert(new_user(&format!("user{round}")), SideEffects::default()).await.unwrap();
        assert_eq!(log.append(&[logout()]).await.unwrap(), 1, "{code}");
        heal(&opened, database.kind()).await;

        inject(&opened, database.kind(), code, 3).await;
        let new = PasswordHash::new("$2b$04$replaced".to_owned());
        let current = new_user("any").password_hash;
        assert!(users.replace_hash(user.id, &current, &new).await.unwrap(), "{code}");
        heal(&opened, database.kind()).await;

        inject(&opened, database.kind(), code, 3).await;
        let changed = users
            .change_and_revoke(user.id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default())
            .await
            .unwrap();
        assert_eq!(changed.unwrap().0.generation, Generation::new(1), "{code}");
        let key = AttemptKey::from([u8::try_from(round).unwrap(); 16]);
        let counted = attempts.update(&[key], one_failure()).await;
        heal(&opened, database.kind()).await;

        // An update of counters that may have been made is not made again: nobody could tell that it was counted twice.
        let may_repeat = rolled_back.contains(code);
        assert_eq!(counted.is_ok(), may_repeat, "{code}: {counted:?}");
        assert_eq!(attempts.read(&[key]).await.unwrap()[0].failures, u32::from(may_repeat), "{code}");
        head += 2;
        let page = log.read_after(Position(0), 100).await.unwrap();
        assert_eq!((page.head.0, page.entries.len() as u64), (head, head), "{code}");
    }
}

async fn what_it_never_stops_giving_up_is_unavailable(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    let attempts = SeaAttemptStore::new(opened.clone());
    let user = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let (rolled_back, _) = conflicts(database.kind());
    inject(&opened, database.kind(), rolled_back[0], 1_000_000).await;
    let (batch, key) = ([logout()], [AttemptKey::from([1; 16])]);
    let (appended, changed, promoted, counted, inserted) = tokio::join!(
        log.append(&batch),
        users.change_and_revoke(user.id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default()),
        users.promote(user.id),
        attempts.update(&key, one_failure()),
        users.insert(new_user("grace"), SideEffects::default()),
    );
    let inserted = inserted.map_err(|error| match error {
        InsertUserError::Store(error) => error,
        taken => panic!("{taken:?}"),
    });
    let outcomes =
        [appended.map(drop), of_store(changed).map(drop), promoted.map(drop), counted.map(drop), inserted.map(drop)];
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    heal(&opened, database.kind()).await;

    assert_eq!(log.read_after(Position(0), 1).await.unwrap().head, Position(0));
    assert_eq!(users.find_by_id(user.id).await.unwrap(), Some(user));
    users.insert(new_user("grace"), SideEffects::default()).await.expect("nothing of the first attempt is left");
}

/// Returns the URL without TLS, so that a proxy sees what is sent.
pub(crate) fn in_clear(kind: TestDatabaseKind, url: &str) -> String {
    let in_clear = if kind == TestDatabaseKind::Postgres { "sslmode=disable" } else { "ssl-mode=DISABLED" };
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{in_clear}")
}

/// Returns the line that loses the answer to a `COMMIT`: the statement as the protocol sends it, and not `READ COMMITTED`.
pub(crate) fn lost_commit(kind: TestDatabaseKind) -> Line {
    Line::LosesAnswerTo(if kind == TestDatabaseKind::Postgres { "COMMIT\0" } else { "\u{3}COMMIT" })
}

/// The connection is cut after the server has committed and before its answer arrives.
async fn what_was_committed_without_an_answer_is_not_made_again(database: TestDatabase) {
    let (direct, ..) = open(&database).await;
    let (proxy, url) = Proxy::before(&database).await.unwrap();
    let opened = connect(&in_clear(database.kind(), &url), ConnectOptions::default()).await.unwrap();
    let (users, log) = (SeaUserStore::new(opened.clone()), SeaRevocationLog::new(opened.clone()));
    let attempts = SeaAttemptStore::new(opened.clone());

    let commit = lost_commit(database.kind());
    proxy.set(commit);
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.expect("the one who registered is told so");
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    assert_eq!(number(&direct, "SELECT COUNT(*) FROM auth_users").await, 1);
    assert!(
        matches!(users.insert(new_user("ada"), SideEffects::default()).await, Err(InsertUserError::EmailTaken)),
        "another one is not"
    );

    proxy.set(commit);
    log.append(&[logout(), logout()]).await.unwrap();
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(2));

    let [current, new, newer] =
        ["$2b$04$a-hash", "$2b$04$another-hash", "$2b$04$a-third-one"].map(|hash| PasswordHash::new(hash.to_owned()));
    proxy.set(Line::LosesAnswerTo("$2b$04$another-hash"));
    assert!(users.replace_hash(ada.id, &current, &new).await.unwrap(), "it was replaced");
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");

    proxy.set(commit);
    let change = UserChange::PasswordFrom { current: new, new: newer.clone() };
    let changed = users.change_and_revoke(ada.id, change, revoke_all(), SideEffects::default()).await.unwrap();
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    let (changed, _) = changed.expect("the change was made");
    assert_eq!(changed.generation, Generation::new(1));
    let stored = users.find_credentials(&ada.email).await.unwrap().unwrap();
    assert_eq!((stored.user, stored.password_hash), (changed, newer));
    let page = log.read_after(Position(0), 10).await.unwrap();
    assert_eq!((page.head, page.entries.len()), (Position(3), 3), "logged once");

    let key = AttemptKey::from([1; 16]);
    attempts.update(&[key], one_failure()).await.unwrap();
    proxy.set(commit);
    let unknown = attempts.update(&[key], one_failure()).await.unwrap_err();
    assert_eq!(unknown.kind(), StoreErrorKind::Unavailable);
    assert_eq!(attempts.read(&[key]).await.unwrap()[0].failures, 2, "counted once each");
}

/// Each session of each node at `SERIALIZABLE`, as an embedder, a pooler or a role may set it.
async fn nodes_at_serializable_lose_nothing_and_skip_nothing(database: TestDatabase) {
    const NODES: usize = 3;
    const TASKS: usize = 3;
    const ROUNDS: usize = 6;
    let (_, users, _) = open(&database).await;
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let mut work = JoinSet::new();
    let mut watched = None;
    for node in 0..NODES {
        let options = ConnectOptions { max_connections: Some(3), ..ConnectOptions::default() };
        let (opened, users, log) = open_with(&database, options).await;
        make_serializable(&opened).await;
        // Here and not at the end: a connection that answers late on a busy machine is replaced by one with our settings.
        let isolation = query(&opened, "SHOW transaction_isolation").await[0].try_get_by_index::<String>(0).unwrap();
        assert_eq!(isolation, "serializable", "or nothing is tested");
        watched.get_or_insert_with(|| (opened.clone(), log.clone()));
        let attempts = SeaAttemptStore::new(opened);
        for task in 0..TASKS {
            let (users, log, attempts) = (users.clone(), log.clone(), attempts.clone());
            work.spawn(async move {
                for round in 0..ROUNDS {
                    let name = format!("user-{node}-{task}-{round}");
                    users
                        .insert(new_user(&name), SideEffects::default())
                        .await
                        .unwrap_or_else(|error| panic!("{error:?}"));
                    assert_eq!(log.append(&[logout()]).await.unwrap(), 1);
                    change(&users, ada.id).await;
                    attempts.update(&[AttemptKey::from([7; 16])], one_failure()).await.unwrap();
                }
            });
        }
    }
    let (opened, log) = watched.unwrap();
    let (mut last, mut seen) = (Position(0), 0);
    while !work.is_empty() {
        while let Some(done) = work.try_join_next() {
            done.unwrap();
        }
        // A reader may be given up too; whoever polls simply polls again.
        let Ok(page) = log.read_after(last, 100).await else { continue };
        for LogEntry { position, .. } in page.entries {
            assert_eq!(position.0, last.0 + 1, "a gap");
            last = position;
            seen += 1;
        }
    }
    let made = NODES * TASKS * ROUNDS;
    let page = log.read_after(last, 100).await.unwrap();
    assert_eq!(seen + page.entries.len(), 2 * made);
    assert_eq!(page.head.0, 2 * made as u64);
    let raised = users.find_by_id(ada.id).await.unwrap().unwrap().generation;
    assert_eq!(raised, Generation::new(u32::try_from(made).unwrap()));
    let counted = SeaAttemptStore::new(opened.clone()).read(&[AttemptKey::from([7; 16])]).await.unwrap();
    assert_eq!(counted[0].failures as usize, made);
}

async fn change(users: &SeaUserStore, id: UserId) {
    let changed = users.change_and_revoke(id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default()).await;
    changed.unwrap_or_else(|error| panic!("{error:?}")).expect("the user is there");
}

async fn make_serializable(database: &Database) {
    let pool = database.connection().get_postgres_connection_pool();
    let mut all = Vec::new();
    for _ in 0..database.pool_stats().max {
        let mut session = pool.acquire().await.unwrap();
        session.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE").await.unwrap();
        all.push(session);
    }
}

async fn sessions_wait_for_what_a_cluster_has_committed(database: TestDatabase) {
    let (opened, ..) = open(&database).await;
    let found = query(&opened, "SHOW SESSION VARIABLES LIKE 'wsrep_sync_wait'").await;
    // A server without Galera may not have it.
    if let [row] = &found[..] {
        assert_eq!(row.try_get_by_index::<String>(1).unwrap(), "7");
    }
}

fn one_failure() -> Change {
    Arc::new(|counters: &mut [Counter]| counters[0].failures += 1)
}
