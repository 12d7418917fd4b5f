//! The rules for databases that cannot be reached or hold nonsense. They need [`Backend::cut_off`] and
//! [`Backend::damage`].

use std::sync::Arc;

use super::samples::{email, everywhere, insert, instant, logout_of, logouts, new_user, revoke_all, some_claims};
use super::samples::{of_store, some_id, unexpected};
use super::{Backend, CheckError, Row, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::{
    Generation, InsertUserError, ManualClock, PasswordHash, SideEffects, StoreError, StoreErrorKind, UserChange,
};

rules! { ($) __conformance_faults:
    users_in_an_outage_are_unknown:
        "a user store that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'no such user', and people register again or are told that their password is wrong";
    revocations_in_an_outage_are_unknown:
        "a log that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'not revoked', and every logged-out token is accepted while it lasts";
    blacklist_in_an_outage_fails_closed:
        "a blacklist whose log cannot be reached answers no look-up and acknowledges no revocation",
        "a logout is acknowledged that nobody has written down, or a revoked token passes";
    damaged_user_is_an_error:
        "a row that makes no user is an error of kind Corrupt, alone and in a list",
        "a damaged row is skipped, and the address is free for a stranger to register";
    damaged_entry_is_an_error:
        "an entry that makes no revocation is an error of kind Corrupt, never skipped",
        "a reader goes past a revocation that it could not read and accepts the token";
}

pub(super) const CANNOT_CUT: CheckError = CheckError::NotTried("Backend::cut_off says that it cannot");
pub(super) const CANNOT_REFUSE: CheckError = CheckError::NotTried("Backend::refuse_entries says that it cannot");
pub(super) const CANNOT_DAMAGE: CheckError = CheckError::NotTried("Backend::damage says that it cannot");

/// That a call failed, and with the right kind.
pub(super) fn failed<T>(call: &str, kind: StoreErrorKind, result: Result<T, StoreError>) -> Result<(), CheckError> {
    match result {
        Err(error) => {
            ensure!(error.kind() == kind, "{call} was an error of kind {:?} instead of {kind:?}", error.kind());
            Ok(())
        }
        Ok(_) => Err(CheckError::Broken(format!("{call} was answered, and not with an error"))),
    }
}

async fn users_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let kind = StoreErrorKind::Unavailable;
    let users = backend.open().await.users;
    let ada = insert(&*users, "ada").await?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    for id in [ada.id, some_id()?] {
        failed("find_by_id", kind, users.find_by_id(id).await)?;
        failed("promote", kind, users.promote(id).await)?;
        failed("enable", kind, users.enable(id).await)?;
        let change = UserChange::LogoutEverywhere;
        failed(
            "change_and_revoke",
            kind,
            of_store(users.change_and_revoke(id, change, revoke_all(), SideEffects::default()).await),
        )?;
        let [current, other] = ["hash of ada", "other"].map(|text| PasswordHash::new(text.to_owned()));
        failed("replace_hash", kind, users.replace_hash(id, &current, &other).await)?;
    }
    for address in [&ada.email, &email("nobody@example.org")?] {
        failed("find_credentials", kind, users.find_credentials(address).await)?;
    }
    failed("list", kind, users.list(None, 10).await)?;
    match users.insert(new_user("bob")?, SideEffects::default()).await {
        Err(InsertUserError::Store(error)) => failed("insert", kind, Err::<(), _>(error)),
        other => Err(CheckError::Broken(format!("insert gave {other:?}"))),
    }
}

async fn revocations_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let kind = StoreErrorKind::Unavailable;
    let log = backend.open().await.log;
    let revoked = some_claims()?;
    log.append(&[logout_of(&revoked)]).await.map_err(unexpected)?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    for claims in [revoked, some_claims()?] {
        failed("covers", kind, log.covers(&claims).await)?;
    }
    failed("append", kind, log.append(&logouts(1)?).await)?;
    failed("read_after", kind, log.read_after(Position(0), 10).await)?;
    failed("mark_loss", kind, log.mark_loss(Some(instant())).await)?;
    failed("purge", kind, log.purge(instant(), 10).await)
}

async fn blacklist_in_an_outage_fails_closed(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let blacklist = backend.blacklist(&stores, Arc::new(ManualClock::new(instant()))).await;
    let (known, unknown) = (some_claims()?, some_claims()?);
    blacklist.revoke(logout_of(&known)).await.map_err(unexpected)?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    let known_answer = blacklist.look_up(&known).await;
    ensure!(!matches!(known_answer, Ok(false)), "a token that was revoked before the outage passes");
    failed("look_up", StoreErrorKind::Unavailable, blacklist.look_up(&unknown).await)?;
    let of_token = blacklist.revoke(logout_of(&unknown)).await;
    failed("revoke, of a token,", StoreErrorKind::Unavailable, of_token)?;
    let of_user = blacklist.revoke(everywhere(unknown.user_id, Generation::new(1))).await;
    failed("revoke, of a user,", StoreErrorKind::Unavailable, of_user)
}

async fn damaged_user_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let kind = StoreErrorKind::Corrupt;
    let users = backend.open().await.users;
    let (ada, bob) = (insert(&*users, "ada").await?, insert(&*users, "bob").await?);
    if !backend.damage(Row::User(ada.id)).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("find_by_id of the damaged user", kind, users.find_by_id(ada.id).await)?;
    failed("find_credentials of the damaged user", kind, users.find_credentials(&ada.email).await)?;
    failed("a list with the damaged user", kind, users.list(None, 10).await)?;
    let found = users.find_by_id(bob.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&bob), "beside the damaged row another user is {found:?}");
    let again = users.insert(new_user("ada")?, SideEffects::default()).await;
    ensure!(again.is_err(), "the address of the damaged row could be registered again");
    Ok(())
}

async fn damaged_entry_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let kind = StoreErrorKind::Corrupt;
    let log = backend.open().await.log;
    log.append(&logouts(3)?).await.map_err(unexpected)?;
    if !backend.damage(Row::Entry(Position(2))).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("a page with the damaged entry", kind, log.read_after(Position(0), 10).await)?;
    let page = log.read_after(Position(2), 10).await.map_err(unexpected)?;
    ensure!(page.entries.len() == 1, "after the damaged entry came {page:?}");
    Ok(())
}
