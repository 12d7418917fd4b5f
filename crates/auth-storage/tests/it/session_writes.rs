//! Writes to sessions that share a transaction, and purges.

use std::sync::Arc;

use auth_core::blacklist::{Position, RevocationReason};
use auth_core::session::{
    RefreshState, RefreshToken, Rotation, RotationSalt, Session, SessionEnd, SessionStore as _, StoredSession,
    purge_sessions,
};
use auth_core::{Generation, RevocationSource as _, SessionId, UserId};
use auth_storage::SeaSessionStore;
use auth_testing::databases::TestDatabase;
use time::Duration;
use tokio::task::JoinSet;

use crate::support::{NOW, execute, open};

/// Number of sessions, which is more than one batch.
const SESSIONS: usize = 120;

auth_testing::on_every_database!(
    each_of_many_writes_at_once_gets_its_own_answer,
    an_end_without_its_entry_is_mended_when_it_is_repeated,
    a_node_whose_clock_is_ahead_of_the_database_purges_no_live_session,
);

async fn each_of_many_writes_at_once_gets_its_own_answer(database: TestDatabase) {
    let (database, _, log) = open(&database).await;
    let store = Arc::new(SeaSessionStore::new(database));
    let mut tasks = JoinSet::new();
    for number in 0..SESSIONS {
        let first = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
        store.insert(session(&first)).await.unwrap();
        let store = store.clone();
        tasks.spawn(async move {
            let id = first.unverified_session_id();
            match number % 4 {
                0 => assert!(store.rotate(id, rotation(&first)).await.unwrap(), "the current token"),
                1 => {
                    let other = RefreshToken::first(id).unwrap();
                    assert!(!store.rotate(id, rotation(&other)).await.unwrap(), "another token");
                }
                2 => assert_eq!(store.end(id, END).await.unwrap(), Some(session(&first).revocation(END))),
                _ => {
                    assert_eq!(store.end(SessionId::generate().unwrap(), END).await.unwrap(), None, "nobody's session");
                }
            }
            (number, first)
        });
    }
    for (number, first) in tasks.join_all().await {
        let stored = store.find(first.unverified_session_id()).await.unwrap().unwrap();
        let was_rotated = stored.refresh.unwrap().current != first.own_digest();
        assert_eq!((was_rotated, stored.session.ended.is_some()), (number % 4 == 0, number % 4 == 2), "{number}");
    }
    let page = log.read_after(Position::default(), 1_000).await.unwrap();
    assert_eq!(page.entries.len(), SESSIONS / 4);
}

/// A cluster that commits one statement of a transaction that it gave up leaves a session like this.
async fn an_end_without_its_entry_is_mended_when_it_is_repeated(database: TestDatabase) {
    let (database, _, log) = open(&database).await;
    let store = SeaSessionStore::new(database.clone());
    let first = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
    let id = first.unverified_session_id();
    store.insert(session(&first)).await.unwrap();
    execute(&database, "UPDATE auth_sessions SET ended_at = 1, end_reason = 'logout'").await;
    let ended = store.end(id, END).await.unwrap().unwrap();
    let entries = async || {
        let page = log.read_after(Position::default(), 10).await.unwrap();
        page.entries.into_iter().map(|entry| entry.revocation).collect::<Vec<_>>()
    };
    assert_eq!(entries().await, [ended]);
    assert_eq!(store.end(id, END).await.unwrap(), Some(ended));
    assert_eq!(entries().await.len(), 1, "nothing is appended twice");
}

async fn a_node_whose_clock_is_ahead_of_the_database_purges_no_live_session(test: TestDatabase) {
    let (database, _, _) = open(&test).await;
    let store = SeaSessionStore::new(database.clone());
    let first = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
    let database_now = database.now().await.unwrap();
    let now = database_now.unwrap_or(NOW);
    let mut live = session(&first);
    live.session.idle_until = now + Duration::DAY;
    live.session.ends_at = now + Duration::WEEK;
    store.insert(live).await.unwrap();
    let removed = purge_sessions(&store, now + Duration::days(400), 100, async |_| ()).await.unwrap();
    // SQLite has no clock but that of the node.
    assert_eq!(removed, u64::from(database_now.is_none()));
}

const END: SessionEnd = SessionEnd { at: NOW, reason: RevocationReason::Logout };

fn session(first: &RefreshToken) -> StoredSession {
    let (family, current) = (first.family_digest(), first.own_digest());
    StoredSession {
        session: Session {
            id: first.unverified_session_id(),
            user_id: UserId::from(first.unverified_session_id().as_uuid()),
            generation: Generation::default(),
            created_at: NOW,
            last_used_at: NOW,
            idle_until: NOW + Duration::DAY,
            ends_at: NOW + Duration::WEEK,
            user_agent: None,
            network: None,
            ended: None,
        },
        access_expires_at: NOW + Duration::HOUR,
        refresh: Some(RefreshState { family, current, predecessor: None }),
    }
}

fn rotation(used: &RefreshToken) -> Rotation {
    let salt = RotationSalt::generate().unwrap();
    Rotation {
        used: used.own_digest(),
        successor: used.successor(salt).own_digest(),
        salt,
        at: NOW,
        last_used_at: NOW,
        idle_until: NOW + Duration::DAY,
        access_expires_at: NOW + Duration::HOUR,
    }
}
