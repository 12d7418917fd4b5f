//! The rules of [`UserStore`](crate::UserStore).

use std::time::Duration;

use futures_util::future::join_all;

use super::{Check, Stores, check, claims_of, ensure, insert, instant, new_user, taken, unexpected};
use crate::blacklist::{Position, Revocation, RevocationReason, RevocationTarget};
use crate::email::Email;
use crate::password::PasswordHash;
use crate::user::{Generation, UserChange, UserId};
use crate::username::Username;

pub(super) const CHECKS: &[Check] = &[
    check!(
        returns_what_was_inserted,
        "a user is read back exactly as inserted",
        "a name loses characters or a time its fraction"
    ),
    check!(absence_is_none, "what does not exist is None, never an error", "an unknown user becomes a 500"),
    check!(
        finds_by_key,
        "e-mail addresses and usernames are compared by their keys",
        "one person registers twice by changing the case"
    ),
    check!(
        keys_that_differ_differ,
        "keys that differ by an accent or a trailing mark are two users",
        "a database's lax collation takes one person's address for another's"
    ),
    check!(
        conflict_names_the_field,
        "a conflict says which field is taken, the e-mail address first, and writes nothing",
        "the client is told to log in when only the name is taken"
    ),
    check!(
        one_winner,
        "of many who insert one e-mail address at once exactly one wins",
        "check-then-insert makes two accounts of one address"
    ),
    check!(pages_by_id, "listing goes by id, without gaps or repetition", "a page skips or repeats a user"),
    check!(
        promotion_is_kept,
        "promoting and enabling are kept and can be repeated",
        "an operator's second try fails or undoes the first"
    ),
    check!(
        change_raises_generation_and_appends,
        "a change that ends tokens raises the generation and appends to the log in one step",
        "the user is disabled but the tokens live on, or the other way round"
    ),
    check!(
        no_generation_is_lost,
        "many concurrent changes each get a generation of their own",
        "two changes raise the generation to one number and one of them revokes nothing"
    ),
    check!(
        changes_a_password_only_from_the_current_hash,
        "a password is changed from a hash only while that is the stored one, and by one of many at once",
        "whoever knows an old password changes the new one, or two changes both believe they won"
    ),
    check!(
        replaces_only_the_current_hash,
        "a hash is replaced only if it is still the one that was read",
        "an upgrade of an old hash overwrites a password changed meanwhile"
    ),
];

async fn returns_what_was_inserted(stores: Stores) -> Result<(), String> {
    let mut new = new_user("ada")?;
    new.username = Username::parse("Äda 💡 o'Neil").map_err(unexpected)?;
    new.email = Email::parse("Ada.Lovelace+tag@Bücher.example").map_err(unexpected)?;
    new.admin = true;
    new.registered_on += Duration::from_micros(123_456);
    let user = stores.users.insert(new.clone()).await.map_err(unexpected)?;
    ensure!(
        (user.id, &user.email, &user.username, user.admin, user.registered_on)
            == (new.id, &new.email, &new.username, new.admin, new.registered_on),
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

async fn absence_is_none(stores: Stores) -> Result<(), String> {
    let nobody = UserId::generate(instant()).map_err(unexpected)?;
    let email = Email::parse("nobody@example.org").map_err(unexpected)?;
    ensure!(stores.users.find_by_id(nobody).await.map_err(unexpected)?.is_none(), "an unknown id was found");
    ensure!(stores.users.find_credentials(&email).await.map_err(unexpected)?.is_none(), "an unknown e-mail was found");
    ensure!(stores.users.promote(nobody).await.map_err(unexpected)?.is_none(), "nobody was promoted");
    ensure!(stores.users.enable(nobody).await.map_err(unexpected)?.is_none(), "nobody was enabled");
    ensure!(stores.users.list(None, 10).await.map_err(unexpected)?.is_empty(), "an empty store lists users");
    let changed = stores.users.change_and_revoke(nobody, UserChange::LogoutEverywhere, &revoke_all(nobody)).await;
    ensure!(changed.map_err(unexpected)?.is_none(), "nobody was logged out");
    let page = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(page.entries.is_empty() && page.head == Position(0), "a change of nobody was logged: {page:?}");
    let hash = PasswordHash::new("x".to_owned());
    ensure!(!stores.users.replace_hash(nobody, &hash, &hash).await.map_err(unexpected)?, "nobody's hash was replaced");
    Ok(())
}

async fn finds_by_key(stores: Stores) -> Result<(), String> {
    insert(&*stores.users, "Ada").await?;
    let email = Email::parse("ADA@EXAMPLE.ORG").map_err(unexpected)?;
    ensure!(
        stores.users.find_credentials(&email).await.map_err(unexpected)?.is_some(),
        "another spelling of the e-mail address was not found"
    );
    let mut twin = new_user("someone")?;
    twin.email = email;
    let result = stores.users.insert(twin).await;
    ensure!(taken(&result) == Some("email"), "another spelling of the e-mail address gave {result:?}");
    let mut twin = new_user("someone")?;
    twin.username = Username::parse("aDA").map_err(unexpected)?;
    let result = stores.users.insert(twin).await;
    ensure!(taken(&result) == Some("username"), "another spelling of the username gave {result:?}");
    Ok(())
}

async fn keys_that_differ_differ(stores: Stores) -> Result<(), String> {
    for name in ["resume", "résumé", "strasse", "straße", "a_b", "axb", "a%b"] {
        let result = stores.users.insert(new_user(name)?).await;
        ensure!(result.is_ok(), "{name:?} was refused: {result:?}");
    }
    Ok(())
}

async fn conflict_names_the_field(stores: Stores) -> Result<(), String> {
    insert(&*stores.users, "ada").await?;
    let mut both = new_user("ada")?;
    let result = stores.users.insert(both.clone()).await;
    ensure!(taken(&result) == Some("email"), "both taken gave {result:?}");
    both.email = Email::parse("other@example.org").map_err(unexpected)?;
    let result = stores.users.insert(both).await;
    ensure!(taken(&result) == Some("username"), "a taken username gave {result:?}");
    let users = stores.users.list(None, 10).await.map_err(unexpected)?;
    ensure!(users.len() == 1, "a refused insertion left {} users", users.len());
    Ok(())
}

async fn one_winner(stores: Stores) -> Result<(), String> {
    let rivals = (0..16).map(|number| {
        let users = stores.users.clone();
        async move {
            let mut new = new_user(&format!("rival{number}"))?;
            new.email = Email::parse("prize@example.org").map_err(unexpected)?;
            Ok::<_, String>(users.insert(new).await)
        }
    });
    let results = join_all(rivals).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let winners = results.iter().filter(|result| result.is_ok()).count();
    let losers = results.iter().filter(|result| taken(result) == Some("email")).count();
    ensure!((winners, losers) == (1, 15), "{winners} won and {losers} were told \"email\": {results:?}");
    Ok(())
}

async fn pages_by_id(stores: Stores) -> Result<(), String> {
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(insert(&*stores.users, &format!("user{number}")).await?.id);
    }
    ids.sort_unstable();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = stores.users.list(after, 3).await.map_err(unexpected)?;
        ensure!(page.len() <= 3, "asked for 3 and was given {}", page.len());
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|user| user.id));
    }
    ensure!(seen == ids, "paging gave {seen:?} instead of {ids:?}");
    Ok(())
}

async fn promotion_is_kept(stores: Stores) -> Result<(), String> {
    let user = insert(&*stores.users, "ada").await?;
    for _ in 0..2 {
        let promoted = stores.users.promote(user.id).await.map_err(unexpected)?;
        ensure!(promoted.is_some_and(|user| user.admin), "promoting did not make an admin");
    }
    let disable = UserChange::Disable(instant());
    stores.users.change_and_revoke(user.id, disable, &revoke_all(user.id)).await.map_err(unexpected)?;
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

async fn change_raises_generation_and_appends(stores: Stores) -> Result<(), String> {
    let user = insert(&*stores.users, "ada").await?;
    let other = insert(&*stores.users, "bob").await?;
    stores.users.promote(user.id).await.map_err(unexpected)?;
    let before = claims_of(user.id, user.generation)?;
    let hash = PasswordHash::new("another hash".to_owned());
    let changes = [
        UserChange::LogoutEverywhere,
        UserChange::Demote,
        UserChange::Disable(instant()),
        UserChange::Password(hash.clone()),
    ];
    for (number, change) in (1..).zip(changes) {
        let result = stores.users.change_and_revoke(user.id, change, &revoke_all(user.id)).await;
        let Some((changed, revocation)) = result.map_err(unexpected)? else {
            return Err("the user was not found".to_owned());
        };
        let below = Generation::new(number);
        ensure!(changed.generation == below, "change {number} gave the generation {:?}", changed.generation);
        ensure!(
            revocation.target == RevocationTarget::User { id: user.id, below },
            "change {number} appended {revocation:?}"
        );
    }
    let stored = stores.users.find_credentials(&user.email).await.map_err(unexpected)?;
    let Some(stored) = stored else { return Err("the user is gone".to_owned()) };
    ensure!(
        !stored.user.admin && stored.user.disabled_at == Some(instant()) && stored.password_hash == hash,
        "the changes were not kept: {:?}",
        stored.user
    );
    let page = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(page.entries.len() == 4 && page.head == Position(4), "four changes left the log as {page:?}");
    ensure!(stores.log.covers(&before).await.map_err(unexpected)?, "a token from before the changes is not covered");
    let after = claims_of(user.id, stored.user.generation)?;
    ensure!(!stores.log.covers(&after).await.map_err(unexpected)?, "a token of the new generation is covered");
    let bystander = claims_of(other.id, other.generation)?;
    ensure!(!stores.log.covers(&bystander).await.map_err(unexpected)?, "another user's token is covered");
    Ok(())
}

async fn no_generation_is_lost(stores: Stores) -> Result<(), String> {
    let user = insert(&*stores.users, "ada").await?;
    let changes = (0..12).map(|_| {
        let users = stores.users.clone();
        async move { users.change_and_revoke(user.id, UserChange::LogoutEverywhere, &revoke_all(user.id)).await }
    });
    let mut generations = Vec::new();
    for result in join_all(changes).await {
        let changed = result.map_err(unexpected)?;
        generations.extend(changed.map(|(user, _)| user.generation.number()));
    }
    generations.sort_unstable();
    ensure!(generations == (1..=12).collect::<Vec<_>>(), "twelve changes gave the generations {generations:?}");
    let page = stores.log.read_after(Position(0), 100).await.map_err(unexpected)?;
    ensure!(page.entries.len() == 12, "twelve changes left {} entries in the log", page.entries.len());
    Ok(())
}

async fn changes_a_password_only_from_the_current_hash(stores: Stores) -> Result<(), String> {
    let user = insert(&*stores.users, "ada").await?;
    let hash = |text: &str| PasswordHash::new(text.to_owned());
    let change = async |current: &str, new: &str| {
        let change = UserChange::PasswordFrom { current: hash(current), new: hash(new) };
        stores.users.change_and_revoke(user.id, change, &revoke_all(user.id)).await.map_err(unexpected)
    };
    ensure!(change("another hash", "new").await?.is_none(), "a password was changed from a hash that is not stored");
    let page = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(page.entries.is_empty(), "a change that was refused was logged: {page:?}");
    let rivals = (0..8).map(|number| {
        let change = &change;
        async move { change("hash of ada", &format!("hash {number}")).await.map(|changed| changed.map(|_| number)) }
    });
    let results = join_all(rivals).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let winners: Vec<_> = results.into_iter().flatten().collect();
    let [winner] = winners[..] else { return Err(format!("of eight who changed one hash {winners:?} won")) };
    let stored = stores.users.find_credentials(&user.email).await.map_err(unexpected)?;
    let Some(stored) = stored else { return Err("the user is gone".to_owned()) };
    ensure!(stored.password_hash == hash(&format!("hash {winner}")), "the winner's hash is not the stored one");
    ensure!(stored.user.generation == Generation::new(1), "one change gave {:?}", stored.user.generation);
    let page = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(page.entries.len() == 1, "one change left the log as {page:?}");
    Ok(())
}

async fn replaces_only_the_current_hash(stores: Stores) -> Result<(), String> {
    let user = insert(&*stores.users, "ada").await?;
    let [current, other, new] =
        ["hash of ada", "something else", "upgraded"].map(|text| PasswordHash::new(text.into()));
    ensure!(
        !stores.users.replace_hash(user.id, &other, &new).await.map_err(unexpected)?,
        "a hash that is not the current one was replaced"
    );
    ensure!(
        stores.users.replace_hash(user.id, &current, &new).await.map_err(unexpected)?,
        "the current hash was not replaced"
    );
    let stored = stores.users.find_credentials(&user.email).await.map_err(unexpected)?;
    ensure!(
        stored.is_some_and(|stored| stored.password_hash == new && stored.user.generation == user.generation),
        "the replacement was not kept, or raised the generation"
    );
    Ok(())
}

fn revoke_all(id: UserId) -> impl Fn(Generation) -> Revocation + Send + Sync {
    move |below| Revocation {
        target: RevocationTarget::User { id, below },
        expires_at: instant() + Duration::from_secs(3600),
        revoked_at: instant(),
        reason: RevocationReason::LogoutEverywhere,
    }
}
