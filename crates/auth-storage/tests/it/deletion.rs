//! A user who was deleted has left nothing in any table but the id, in the log.

use auth_core::letters::{LetterKind, LetterSecret};
use auth_core::personal::{PersonalTokenSecret, StoredPersonalToken};
use auth_core::recovery::{OneTimeTokenId, OneTimeTokenPurpose, StoredOneTimeToken};
use auth_core::session::{RefreshState, RefreshToken, Session, SessionStore as _, StoredSession};
use auth_core::throttle::{AttemptKey, Counter};
use auth_core::{
    AttemptStore as _, Generation, Language, Letter, OneTimeCode, OneTimeToken, PasswordHash, PersonalToken,
    PersonalTokenId, PersonalTokenStore as _, SessionId, SideEffects, UserChange, UserId, UserStore as _,
};
use auth_storage::{Database, SeaAttemptStore, SeaPersonalTokenStore, SeaSessionStore};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use time::Duration;

use crate::support::{NOW, new_user, open, query, revoke_all};

on_every_database!(a_deleted_user_leaves_nothing_but_an_id);

/// The hash of the code in a letter.
const CODE_HASH: &str = "$2b$04$the-hash-of-a-code";

async fn a_deleted_user_leaves_nothing_but_an_id(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    let (ada, bob) = (new_user("ada-lovelace"), new_user("bob"));
    for new in [&ada, &bob] {
        let (letter, token) = (letter(new.id, &new.email, &new.username), token(new.id, &new.email));
        let effects = SideEffects { tokens: vec![token], letters: vec![letter], ..SideEffects::default() };
        let hash = PasswordHash::new(format!("$2b$04$hash-of-{}", new.username.as_str()));
        let new = auth_core::NewUser { password_hash: hash, ..new.clone() };
        users.insert(new.clone(), effects).await.unwrap();
        users.record_login(new.id, NOW).await.unwrap();
        SeaSessionStore::new(opened.clone()).insert(session(new.id)).await.unwrap();
        let tokens = SeaPersonalTokenStore::new(opened.clone());
        assert!(tokens.insert(personal_token(new.id, &new.username), 1).await.unwrap());
        let logout =
            users.change_and_revoke(new.id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default());
        logout.await.unwrap().unwrap();
    }
    let count = |counters: &mut [Counter]| counters[0].failures += 1;
    SeaAttemptStore::new(opened.clone())
        .update(&[AttemptKey::from([1; 16])], std::sync::Arc::new(count))
        .await
        .unwrap();

    let of_ada = ["ada-lovelace", "hash-of-ada"];
    let before = everything(&opened, database.kind()).await;
    assert_eq!(before.len(), 12, "every table was read: {before:?}");
    for trace in of_ada {
        assert!(before.iter().any(|(_, text)| text.contains(trace)), "{trace} is not found where it is: {before:?}");
    }
    let id = spelled(database.kind(), ada.id);
    let tables_of = |all: &[(String, String)], trace: &str| {
        all.iter().filter(|(_, text)| text.contains(trace)).map(|(table, _)| table.clone()).collect::<Vec<_>>()
    };
    let known = [
        "auth_blacklist",
        "auth_letters",
        "auth_one_time_tokens",
        "auth_personal_tokens",
        "auth_sessions",
        "auth_users",
    ];
    assert_eq!(tables_of(&before, &id), known, "{before:?}");

    users.delete(ada.id, revoke_all()).await.unwrap().expect("the user is there");

    let after = everything(&opened, database.kind()).await;
    for trace in of_ada {
        assert_eq!(tables_of(&after, trace), Vec::<String>::new(), "{trace}: {after:?}");
    }
    assert_eq!(tables_of(&after, &id), ["auth_blacklist"], "{after:?}");
    assert_eq!(tables_of(&after, &spelled(database.kind(), bob.id)), known, "another user lost something: {after:?}");
}

/// Returns every table of the database in alphabetical order, with all its columns and rows as text.
async fn everything(database: &Database, kind: TestDatabaseKind) -> Vec<(String, String)> {
    let (tables, columns) = match kind {
        TestDatabaseKind::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            "SELECT name FROM pragma_table_info('{table}')",
        ),
        TestDatabaseKind::Postgres => (
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1",
            "SELECT column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}'",
        ),
        TestDatabaseKind::MySql => (
            "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
            "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '{table}'",
        ),
    };
    let names = async |sql: &str| {
        let rows = query(database, sql).await;
        rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for table in names(tables).await {
        let mut text = String::new();
        for column in names(&columns.replace("{table}", &table)).await {
            let as_text = match kind {
                // Hexadecimal digits where the bytes are no text.
                TestDatabaseKind::Sqlite => format!(
                    "CASE typeof(\"{column}\") WHEN 'blob' THEN hex(\"{column}\") ELSE CAST(\"{column}\" AS TEXT) END"
                ),
                TestDatabaseKind::Postgres => format!("\"{column}\"::text"),
                TestDatabaseKind::MySql => format!("CONCAT(HEX(`{column}`), ' ', CONVERT(`{column}` USING latin1))"),
            };
            for row in query(database, &format!("SELECT COALESCE({as_text}, '') FROM {table}")).await {
                text.push_str(&row.try_get_by_index::<String>(0).unwrap());
                text.push('\n');
            }
        }
        all.push((table, text));
    }
    all
}

/// Returns an id as [`everything`] shows it.
fn spelled(kind: TestDatabaseKind, id: UserId) -> String {
    match kind {
        TestDatabaseKind::Postgres => id.as_uuid().to_string(),
        _ => id.as_uuid().simple().to_string().to_uppercase(),
    }
}

fn token(user_id: UserId, email: &auth_core::Email) -> StoredOneTimeToken {
    StoredOneTimeToken {
        id: OneTimeTokenId::generate().unwrap(),
        digest: OneTimeToken::generate().unwrap().digest(),
        code_hash: Some(PasswordHash::new(CODE_HASH.to_owned())),
        purpose: OneTimeTokenPurpose::VerifyEmail,
        user_id,
        sent_to: Some(email.clone()),
        created_at: NOW,
        expires_at: NOW + Duration::DAY,
    }
}

fn letter(user_id: UserId, email: &auth_core::Email, username: &auth_core::Username) -> Letter {
    Letter {
        id: auth_core::letters::LetterId::generate().unwrap(),
        kind: LetterKind::VerifyEmail,
        user_id,
        to: Some(email.clone()),
        username: username.clone(),
        secret: Some(LetterSecret {
            token: OneTimeToken::generate().unwrap(),
            code: Some(OneTimeCode::generate().unwrap()),
            expires_at: NOW + Duration::DAY,
        }),
        language: Language::default(),
        created_at: NOW,
    }
}

fn session(user_id: UserId) -> StoredSession {
    let first = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
    StoredSession {
        session: Session {
            id: first.unverified_session_id(),
            user_id,
            generation: Generation::default(),
            created_at: NOW,
            last_used_at: NOW,
            idle_until: NOW + Duration::DAY,
            ends_at: NOW + Duration::DAY,
            user_agent: Some("Mozilla/5.0".to_owned()),
            network: Some("203.0.113.0/24".to_owned()),
            ended: None,
        },
        access_expires_at: NOW + Duration::HOUR,
        refresh: Some(RefreshState { family: first.family_digest(), current: first.own_digest(), predecessor: None }),
    }
}

/// A personal token whose name says who its user is.
fn personal_token(user_id: UserId, username: &auth_core::Username) -> StoredPersonalToken {
    StoredPersonalToken {
        token: PersonalToken {
            id: PersonalTokenId::generate().unwrap(),
            user_id,
            name: format!("backups of {}", username.as_str()).parse().unwrap(),
            scopes: "orders:read".parse().unwrap(),
            roles: "editor".parse().unwrap(),
            generation: Generation::default(),
            created_at: NOW,
            expires_at: NOW + Duration::DAY,
            last_used_at: None,
        },
        digest: PersonalTokenSecret::generate().unwrap().digest(),
    }
}
