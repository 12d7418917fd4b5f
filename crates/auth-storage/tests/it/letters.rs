//! One-time tokens and letters when answers are lost.

use auth_core::letters::{LeaseId, LetterId, LetterKind};
use auth_core::recovery::{
    OneTimeTokenId, OneTimeTokenPurpose, OneTimeTokenStore as _, Redemption, StoredOneTimeToken,
};
use auth_core::{
    Email, Language, Letter, OneTimeToken, Outbox as _, ProfileChange, SideEffects, UserId, UserStore as _, Username,
};
use auth_storage::{ConnectOptions, SeaOneTimeTokenStore, SeaOutbox, SeaUserStore, connect};
use auth_testing::databases::{Line, Proxy, TestDatabase};
use time::Duration;

use crate::retries::{in_clear, lost_commit};
use crate::support::{NOW, new_user, open, revoke_all};

mod postgres {
    auth_testing::on_database!(Postgres: a_lost_answer_uses_no_token_twice);
}

mod mysql {
    auth_testing::on_database!(MySql: a_lost_answer_uses_no_token_twice);
}

fn token(user_id: UserId) -> StoredOneTimeToken {
    StoredOneTimeToken {
        id: OneTimeTokenId::generate().unwrap(),
        digest: OneTimeToken::generate().unwrap().digest(),
        code_hash: None,
        purpose: OneTimeTokenPurpose::VerifyEmail,
        user_id,
        sent_to: Some(Email::parse("ada@example.org").unwrap()),
        created_at: NOW,
        expires_at: NOW + Duration::DAY,
    }
}

fn letter(user_id: UserId) -> Letter {
    Letter {
        id: LetterId::generate().unwrap(),
        kind: LetterKind::PasswordChanged,
        user_id,
        to: Some(Email::parse("ada@example.org").unwrap()),
        username: Username::parse("ada").unwrap(),
        secret: None,
        language: Language::default(),
        created_at: NOW,
    }
}

/// The connection is cut after the server has committed and before its answer arrives.
async fn a_lost_answer_uses_no_token_twice(database: TestDatabase) {
    drop(open(&database).await);
    let (proxy, url) = Proxy::before(&database).await.unwrap();
    let opened = connect(&in_clear(database.kind(), &url), ConnectOptions::default()).await.unwrap();
    let (users, tokens) = (SeaUserStore::new(opened.clone()), SeaOneTimeTokenStore::new(opened.clone()));
    let outbox = SeaOutbox::new(opened);
    let commit = lost_commit(database.kind());

    let new = new_user("ada");
    let id = new.id;
    let [first, second] = [token(id), token(id)];
    let effects = SideEffects { tokens: vec![first.clone()], letters: vec![letter(id)], ..SideEffects::default() };
    proxy.set(commit);
    users.insert(new, effects).await.expect("the one who registered is told so");
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    assert_eq!(outbox.stats().await.unwrap().waiting, 1);

    // A write without a user, and one that uses a token.
    proxy.set(commit);
    let effects = SideEffects { tokens: vec![second.clone()], letters: vec![letter(id)], ..SideEffects::default() };
    assert!(tokens.write(effects).await.unwrap());
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    assert_eq!(outbox.stats().await.unwrap().waiting, 2);
    proxy.set(commit);
    let redeem = Some(Redemption::new(second.id, NOW).unwrap());
    assert!(
        tokens.write(SideEffects { redeem, ..SideEffects::default() }).await.unwrap(),
        "the token was used by this"
    );
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    let again = Some(Redemption::new(second.id, NOW).unwrap());
    assert!(!tokens.write(SideEffects { redeem: again, ..SideEffects::default() }).await.unwrap(), "by another use");

    // A change of a user that uses a token.
    let third = token(id);
    let effects = SideEffects { tokens: vec![third.clone()], ..SideEffects::default() };
    assert!(tokens.write(effects).await.unwrap());
    proxy.set(commit);
    let redeem = Some(Redemption::new(third.id, NOW).unwrap());
    let effects = SideEffects { redeem, letters: vec![letter(id)], ..SideEffects::default() };
    let change = ProfileChange::VerifyEmail(Email::parse("ada@example.org").unwrap());
    let changed = users.change(id, change, effects).await.unwrap().expect("the change was made");
    assert!(changed.email_verified);
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    assert_eq!(outbox.stats().await.unwrap().waiting, 3);

    // A removal of a letter is one statement.
    let lease = LeaseId::generate().unwrap();
    let leased = outbox.lease(lease, NOW, NOW + Duration::MINUTE, 1).await.unwrap().letters.remove(0);
    proxy.set(Line::LosesAnswerTo("DELETE FROM"));
    assert!(outbox.remove(leased.letter.id, lease).await.unwrap(), "the letter was removed");
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");

    proxy.set(commit);
    let deleted = users.delete(id, revoke_all()).await.unwrap();
    assert_eq!(proxy.line(), Line::Open, "the answer was lost");
    assert!(deleted.is_some(), "the user was deleted by this call");
    assert_eq!(users.delete(id, revoke_all()).await.unwrap(), None, "nobody is left");
    assert_eq!(outbox.stats().await.unwrap().waiting, 0);
}
