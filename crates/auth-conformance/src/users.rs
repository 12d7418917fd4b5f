//! The rules of [`UserStore`](auth_core::UserStore) for keeping and finding users.

use std::time::Duration;

use super::executor::race;
use super::samples::{email, insert, instant, new_user, revoke_all, some_id, taken, unexpected, username, whole};
use super::{Backend, CheckError, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::{Generation, MAX_EMAIL_BYTES, MAX_USERNAME_CHARS, PasswordHash, SideEffects, UserChange};

rules! { ($) __conformance_users:
    returns_what_was_inserted:
        "a user is read back exactly as inserted",
        "a name loses characters or a time its fraction";
    keeps_the_longest:
        "the longest address, name and hash that the types allow are kept whole",
        "a column that is too short cuts a hash, and its owner can never log in";
    absence_is_none:
        "what does not exist is None, never an error",
        "an unknown user becomes an internal error, which tells a stranger who is registered";
    finds_by_key:
        "e-mail addresses and usernames are compared by their keys",
        "one person registers twice by changing the case";
    keys_that_differ_differ:
        "keys that differ by an accent or a trailing mark are two users",
        "a lax collation takes one person's address for another's";
    conflict_names_the_field:
        "a conflict says which field is taken, the e-mail address first, and writes nothing",
        "the client is told to log in when only the name is taken";
    taken_id_overwrites_nobody:
        "an insertion with the id of another user fails and leaves that user alone",
        "an upsert hands an account to a stranger";
    one_winner_of_an_address:
        "of many who insert one e-mail address at once exactly one wins",
        "check-then-insert makes two accounts of one address";
    losers_of_a_name_are_told:
        "of many who insert one username at once exactly one wins, and the others are told it is the name",
        "a loser is told that the account exists, and tries to log in to a stranger's";
    pages_by_id:
        "listing goes by id, without gaps or repetition, and starts after the asked id",
        "a page skips or repeats a user";
    promotion_is_kept:
        "promoting and enabling are kept and can be repeated",
        "an operator's second try fails or undoes the first";
}

async fn returns_what_was_inserted(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut new = new_user("ada")?;
    new.username = username("Äda 💡 o'Neil")?;
    new.email = email("Ada.Lovelace+tag@Bücher.example")?;
    new.admin = true;
    new.email_verified = true;
    new.registered_on += Duration::from_micros(123_456);
    let user = stores.users.insert(new.clone(), SideEffects::default()).await.map_err(unexpected)?;
    ensure!(
        (user.id, &user.email, &user.username, user.email_verified, user.admin, user.registered_on)
            == (new.id, &new.email, &new.username, new.email_verified, new.admin, new.registered_on),
        "inserted {new:?} and was given {user:?}"
    );
    ensure!(user.generation == Generation::default() && user.disabled_at.is_none(), "a new user came as {user:?}");
    let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&user), "inserted {user:?} and read {found:?}");
    let stored = stores.users.find_credentials(&new.email).await.map_err(unexpected)?;
    let hash = stored.as_ref().map(|stored| stored.password_hash.expose_hash());
    ensure!(hash == Some(new.password_hash.expose_hash()), "the stored hash is another one");
    ensure!(stored.map(|stored| stored.user) == Some(user), "the credentials belong to another user");
    Ok(())
}

/// A hash of this many characters is stored whole: argon2 with long parameters, salt and output stays below.
const LONG_HASH: usize = 255;

async fn keeps_the_longest(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut new = new_user("long")?;
    // 64 bytes before the `@` and labels of at most 63 are what RFC 5321 §4.5.3.1 and RFC 1035 §2.3.4 allow.
    let address = format!("{}@{}.{}.{}", "l".repeat(64), "d".repeat(63), "e".repeat(63), "f".repeat(61));
    ensure!(address.len() == MAX_EMAIL_BYTES, "the address has {} bytes, so the check is wrong", address.len());
    new.email = email(&address)?;
    new.username = username(&"𝒜💡".repeat(MAX_USERNAME_CHARS / 2))?;
    new.password_hash = PasswordHash::new("h".repeat(LONG_HASH));
    stores.users.insert(new.clone(), SideEffects::default()).await.map_err(unexpected)?;
    let stored = stores.users.find_credentials(&new.email).await.map_err(unexpected)?;
    let Some(stored) = stored else { return Err(CheckError::Broken("the longest address is not found".to_owned())) };
    ensure!(
        (&stored.user.email, &stored.user.username) == (&new.email, &new.username),
        "inserted {new:?} and read {:?}",
        stored.user
    );
    ensure!(
        stored.password_hash == new.password_hash,
        "a hash of {LONG_HASH} characters came back with {}",
        stored.password_hash.expose_hash().len()
    );
    Ok(())
}

async fn absence_is_none(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let nobody = some_id()?;
    let unknown = stores.users.find_credentials(&email("nobody@example.org")?).await.map_err(unexpected)?;
    ensure!(unknown.is_none(), "an unknown e-mail address was found");
    ensure!(stores.users.find_by_id(nobody).await.map_err(unexpected)?.is_none(), "an unknown id was found");
    ensure!(stores.users.promote(nobody).await.map_err(unexpected)?.is_none(), "nobody was promoted");
    ensure!(stores.users.enable(nobody).await.map_err(unexpected)?.is_none(), "nobody was enabled");
    ensure!(stores.users.list(None, 10).await.map_err(unexpected)?.is_empty(), "an empty store lists users");
    let changed = stores
        .users
        .change_and_revoke(nobody, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default())
        .await;
    ensure!(changed.map_err(unexpected)?.is_none(), "nobody was logged out");
    let log = whole(&*stores.log).await?;
    ensure!(log == (Position(0), Vec::new()), "a change of nobody was logged: {log:?}");
    let hash = PasswordHash::new("x".to_owned());
    ensure!(!stores.users.replace_hash(nobody, &hash, &hash).await.map_err(unexpected)?, "nobody's hash was replaced");
    Ok(())
}

async fn finds_by_key(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    insert(&*stores.users, "Ada").await?;
    let spelling = email("ADA@EXAMPLE.ORG")?;
    ensure!(
        stores.users.find_credentials(&spelling).await.map_err(unexpected)?.is_some(),
        "another spelling of the e-mail address was not found"
    );
    let mut twin = new_user("someone")?;
    twin.email = spelling;
    let result = stores.users.insert(twin, SideEffects::default()).await;
    ensure!(taken(&result) == Some("email"), "another spelling of the e-mail address gave {result:?}");
    let mut twin = new_user("someone")?;
    twin.username = username("aDA")?;
    let result = stores.users.insert(twin, SideEffects::default()).await;
    ensure!(taken(&result) == Some("username"), "another spelling of the username gave {result:?}");
    Ok(())
}

async fn keys_that_differ_differ(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    for name in ["resume", "résumé", "strasse", "straße", "a_b", "axb", "a%b"] {
        let result = stores.users.insert(new_user(name)?, SideEffects::default()).await;
        ensure!(result.is_ok(), "{name:?} was refused: {result:?}");
    }
    Ok(())
}

async fn conflict_names_the_field(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    insert(&*stores.users, "ada").await?;
    let mut both = new_user("ada")?;
    let result = stores.users.insert(both.clone(), SideEffects::default()).await;
    ensure!(taken(&result) == Some("email"), "both taken gave {result:?}");
    both.email = email("other@example.org")?;
    let result = stores.users.insert(both, SideEffects::default()).await;
    ensure!(taken(&result) == Some("username"), "a taken username gave {result:?}");
    let users = stores.users.list(None, 10).await.map_err(unexpected)?;
    ensure!(users.len() == 1, "a refused insertion left {} users", users.len());
    Ok(())
}

async fn taken_id_overwrites_nobody(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    let mut stranger = new_user("stranger")?;
    stranger.id = ada.id;
    let result = stores.users.insert(stranger, SideEffects::default()).await;
    ensure!(result.is_err() && taken(&result).is_none(), "an insertion with a taken id gave {result:?}");
    let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&ada), "the user with that id became {found:?}");
    Ok(())
}

const RIVALS: usize = 16;

async fn one_winner_of_an_address(backend: &dyn Backend) -> Result<(), CheckError> {
    compete(backend, "email").await
}

async fn losers_of_a_name_are_told(backend: &dyn Backend) -> Result<(), CheckError> {
    compete(backend, "username").await
}

/// Many insert users that differ in everything but `field`.
async fn compete(backend: &dyn Backend, field: &'static str) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut rivals = Vec::new();
    for number in 0..RIVALS {
        let mut new = new_user(&format!("rival{number}"))?;
        match field {
            "email" => new.email = email("prize@example.org")?,
            _ => new.username = username("prize")?,
        }
        let users = stores.users.clone();
        rivals.push(async move { users.insert(new, SideEffects::default()).await });
    }
    let results = race(backend, rivals).await?;
    let winners = results.iter().filter(|result| result.is_ok()).count();
    let losers = results.iter().filter(|result| taken(result) == Some(field)).count();
    ensure!(
        (winners, losers) == (1, RIVALS - 1),
        "of {RIVALS} rivals {winners} won and {losers} were told \"{field}\": {results:?}"
    );
    let users = stores.users.list(None, 100).await.map_err(unexpected)?;
    ensure!(users.len() == 1, "the race left {} users", users.len());
    Ok(())
}

async fn pages_by_id(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(insert(&*stores.users, &format!("user{number}")).await?.id);
    }
    ids.sort_unstable();
    let (mut seen, mut after) = (Vec::new(), None);
    while seen.len() <= ids.len() {
        let page = stores.users.list(after, 3).await.map_err(unexpected)?;
        ensure!(page.len() <= 3, "asked for 3 and was given {}", page.len());
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|user| user.id));
    }
    ensure!(seen == ids, "paging gave {seen:?} instead of {ids:?}");
    Ok(())
}

async fn promotion_is_kept(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    for _ in 0..2 {
        let promoted = stores.users.promote(user.id).await.map_err(unexpected)?;
        ensure!(promoted.is_some_and(|user| user.admin), "promoting did not make an admin");
    }
    let disable = UserChange::Disable(instant());
    stores.users.change_and_revoke(user.id, disable, revoke_all(), SideEffects::default()).await.map_err(unexpected)?;
    for _ in 0..2 {
        let enabled = stores.users.enable(user.id).await.map_err(unexpected)?;
        ensure!(enabled.is_some_and(|user| user.disabled_at.is_none()), "enabling did not enable");
    }
    let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
    ensure!(
        found.as_ref().is_some_and(|user| user.admin && user.disabled_at.is_none()),
        "what was read back is {found:?}"
    );
    Ok(())
}
