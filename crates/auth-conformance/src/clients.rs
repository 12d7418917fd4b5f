//! The rules of [`ClientStore`]. They need [`Backend::clients`].

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::Position;
use auth_core::clients::{Client, ClientSecretDigest, ClientStore, PreviousSecret, SecretRotation};
use auth_core::{Claims, ClientId, Generation, StoreErrorKind, UserId};
use time::OffsetDateTime;

use super::cancellation::patience;
use super::executor::{give_up_after, race};
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::samples::{claims_of, covers, everywhere, instant, revoke_all, unexpected, whole};
use super::{Backend, CheckError, Row, StoresUnderTest, ensure, rules};

rules! { ($) __conformance_clients:
    clients_are_kept_exactly:
        "a client is read back exactly as inserted, and one that was never inserted is None",
        "a client is refused that should pass, or goes on after its expiry";
    clients_are_listed_by_id:
        "clients are listed in order of their ids, after the given one and at most as many as asked for, disabled ones too",
        "an operator does not see a client whose secret has leaked";
    rotation_needs_the_current_secret:
        "a secret is replaced only from the current one, and the replaced one is kept until its end or forgotten",
        "a secret that was replaced is still accepted, or a good one is not";
    one_rotation_of_a_secret_wins:
        "of many rotations of one secret exactly one succeeds",
        "two operators each hand out a secret, and one of them is never accepted";
    disabling_ends_the_tokens_of_a_client:
        "disabling raises the generation, appends the entry that covers the tokens, keeps the first moment and spares other clients",
        "a client is disabled and its tokens are accepted until they expire";
    no_generation_of_a_client_is_lost:
        "many changes at once raise the generation of a client once each",
        "a client that was disabled twice at once has a token that no entry covers";
    enabling_keeps_tokens_revoked:
        "enabling lets a client in again and leaves its generation",
        "tokens from before come back to life";
    entry_raises_the_generation_of_a_client:
        "an entry for a client that is appended again raises its generation, and never lowers it",
        "after a lost log has been restored, a client gets tokens that are revoked from the start";
    last_use_goes_forward:
        "the time of the last use never goes back, and the use of an unknown client is no error",
        "an operator removes a client that looks unused";
    clients_are_seen_by_other_nodes:
        "what one node has written of a client is so for every other node at once",
        "a node accepts a secret that another one has replaced";
    abandoned_disabling_is_whole_or_nothing:
        "a disabling that is given up half-way has disabled the client and appended its entry, or neither",
        "the client looks disabled and its tokens are accepted everywhere";
    clients_in_an_outage_are_unknown:
        "a store of clients that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'no such client', and every machine is told that its secret is wrong";
    damaged_client_is_an_error:
        "a row that makes no client is an error of kind Corrupt, alone and in a list",
        "a damaged row looks like 'no such client'";
}

fn at(seconds: u64) -> OffsetDateTime {
    instant() + Duration::from_secs(seconds)
}

fn digest(byte: u8) -> ClientSecretDigest {
    ClientSecretDigest([byte; 32])
}

fn client() -> Result<Client, CheckError> {
    Ok(Client {
        id: ClientId::generate().map_err(unexpected)?,
        name: "Nightly report".parse().map_err(unexpected)?,
        scopes: "a b:c".parse().map_err(unexpected)?,
        generation: Generation::default(),
        created_at: instant(),
        expires_at: None,
        disabled_at: None,
        last_used_at: None,
        secret: digest(1),
        previous: None,
    })
}

async fn open(backend: &dyn Backend) -> Result<(StoresUnderTest, Arc<dyn ClientStore>), CheckError> {
    let stores = backend.open().await;
    let clients = backend.clients().await.ok_or(CheckError::NotTried("Backend::clients says that there is none"))?;
    Ok((stores, clients))
}

async fn inserted(clients: &dyn ClientStore) -> Result<Client, CheckError> {
    let client = client()?;
    clients.insert(client.clone()).await.map_err(unexpected)?;
    Ok(client)
}

async fn found(clients: &dyn ClientStore, id: ClientId) -> Result<Client, CheckError> {
    let found = clients.find(id).await.map_err(unexpected)?;
    found.ok_or_else(|| CheckError::Broken("a client that was inserted is None".to_owned()))
}

/// The id in the place of that of a user.
fn holder(id: ClientId) -> UserId {
    UserId::from(id.as_uuid())
}

fn token_of(id: ClientId, generation: Generation) -> Result<Claims, CheckError> {
    Ok(Claims { expires_at: at(600), ..claims_of(holder(id), generation)? })
}

fn rotation(replaced: u8, replacement: u8, replaced_until: Option<OffsetDateTime>) -> SecretRotation {
    SecretRotation { replaced: digest(replaced), replacement: digest(replacement), replaced_until }
}

async fn clients_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let part = Duration::from_micros(123_456);
    let long = (0..32).map(|number| format!("{}{number:02}", "s".repeat(62))).collect::<Vec<_>>().join(" ");
    let full = Client {
        name: "보".repeat(64).parse().map_err(unexpected)?,
        scopes: long.parse().map_err(unexpected)?,
        created_at: at(1) + part,
        expires_at: Some(at(2) + part),
        disabled_at: Some(at(3) + part),
        last_used_at: Some(at(4) + part),
        secret: digest(0xff),
        previous: Some(PreviousSecret { digest: digest(0), until: at(5) + part }),
        ..client()?
    };
    let bare = Client { scopes: "".parse().map_err(unexpected)?, ..client()? };
    for client in [full, bare] {
        let absent = clients.find(client.id).await.map_err(unexpected)?;
        ensure!(absent.is_none(), "before it was inserted, a client is {absent:?}");
        clients.insert(client.clone()).await.map_err(unexpected)?;
        let read = found(&*clients, client.id).await?;
        ensure!(read == client, "inserted {client:?} and read {read:?}");
    }
    Ok(())
}

async fn clients_are_listed_by_id(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let mut all = Vec::new();
    for number in 0..5 {
        let disabled_at = (number % 2 == 0).then(|| at(number));
        let client = Client { disabled_at, expires_at: disabled_at, ..client()? };
        clients.insert(client.clone()).await.map_err(unexpected)?;
        all.push(client);
    }
    all.sort_by_key(|client| client.id);
    let mut after = None;
    for page in [&all[..2], &all[2..4], &all[4..], &[]] {
        let listed = clients.list(after, 2).await.map_err(unexpected)?;
        ensure!(listed == page, "after {after:?} comes {page:?}, and listed was {listed:?}");
        after = listed.last().map(|client| client.id).or(after);
    }
    Ok(())
}

async fn rotation_needs_the_current_secret(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let (one, other) = (inserted(&*clients).await?, inserted(&*clients).await?);
    for (rotation, rotates, secret, previous) in [
        (rotation(1, 2, Some(at(50))), true, 2, Some((1, 50))),
        (rotation(1, 3, Some(at(60))), false, 2, Some((1, 50))),
        (rotation(2, 4, Some(at(70))), true, 4, Some((2, 70))),
        (rotation(4, 5, None), true, 5, None),
    ] {
        let rotated = clients.rotate_secret(one.id, rotation).await.map_err(unexpected)?;
        ensure!(rotated == rotates, "{rotation:?} answered {rotated}");
        let previous = previous.map(|(byte, until)| PreviousSecret { digest: digest(byte), until: at(until) });
        let (read, expected) =
            (found(&*clients, one.id).await?, Client { secret: digest(secret), previous, ..one.clone() });
        ensure!(read == expected, "after {rotation:?} the client is {read:?}");
    }
    let unknown = clients.rotate_secret(client()?.id, rotation(1, 2, None)).await.map_err(unexpected)?;
    ensure!(!unknown, "the secret of an unknown client was replaced");
    let read = found(&*clients, other.id).await?;
    ensure!(read == other, "the rotation of one client left another as {read:?}");
    Ok(())
}

async fn one_rotation_of_a_secret_wins(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let id = inserted(&*clients).await?.id;
    let rivals = (10..18).map(|replacement| {
        let clients = Arc::clone(&clients);
        let rotation = rotation(1, replacement, Some(at(50)));
        async move { clients.rotate_secret(id, rotation).await.map(|won| won.then_some(rotation.replacement)) }
    });
    let mut winners = Vec::new();
    for outcome in race(backend, rivals).await? {
        winners.extend(outcome.map_err(unexpected)?);
    }
    let read = found(&*clients, id).await?;
    let previous = Some(PreviousSecret { digest: digest(1), until: at(50) });
    let is_right = winners == [read.secret] && read.previous == previous;
    ensure!(is_right, "{} rotations succeeded and the client is {read:?}", winners.len());
    Ok(())
}

async fn disabling_ends_the_tokens_of_a_client(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, clients) = open(backend).await?;
    let (one, other) = (inserted(&*clients).await?, inserted(&*clients).await?);
    let mut generation = Generation::default();
    for (times, seconds) in [(1, 50), (2, 60)] {
        let before = token_of(one.id, generation)?;
        ensure!(!covers(&*stores.log, &before).await?, "a token of the generation {generation:?} is covered");
        generation = generation.next();
        let expected = Client { generation, disabled_at: Some(at(50)), ..one.clone() };
        let entry = everywhere(holder(one.id), generation);
        let disabled = clients.disable(one.id, at(seconds), revoke_all()).await.map_err(unexpected)?;
        let same = disabled.as_ref().is_some_and(|(client, appended)| *client == expected && *appended == entry);
        ensure!(same, "disabling answered {disabled:?} in place of {expected:?} and {entry:?}");
        let read = found(&*clients, one.id).await?;
        ensure!(read == expected, "after disabling the client is {read:?}");
        let (_, entries) = whole(&*stores.log).await?;
        let in_log = entries.len() == times && entries.last().is_some_and(|(_, last)| *last == entry);
        ensure!(in_log, "after disabling the log is {entries:?}");
        ensure!(covers(&*stores.log, &before).await?, "a token of a disabled client is good");
    }
    ensure!(
        !covers(&*stores.log, &token_of(other.id, other.generation)?).await?,
        "a token of another client is covered"
    );
    let read = found(&*clients, other.id).await?;
    ensure!(read == other, "disabling one client left another as {read:?}");
    let unknown = clients.disable(client()?.id, at(50), revoke_all()).await.map_err(unexpected)?;
    let (head, _) = whole(&*stores.log).await?;
    ensure!(
        unknown.is_none() && head == Position(2),
        "disabling nobody answered {unknown:?}, and the log ends at {head:?}"
    );
    Ok(())
}

async fn no_generation_of_a_client_is_lost(backend: &dyn Backend) -> Result<(), CheckError> {
    const CHANGES: usize = 8;
    let (stores, clients) = open(backend).await?;
    let id = inserted(&*clients).await?.id;
    let rivals = (0..CHANGES).map(|_| {
        let clients = Arc::clone(&clients);
        async move { clients.disable(id, at(50), revoke_all()).await }
    });
    let mut told = Vec::new();
    for outcome in race(backend, rivals).await? {
        told.extend(outcome.map_err(unexpected)?.map(|(client, _)| client.generation.number()));
    }
    told.sort_unstable();
    let expected: Vec<_> = (1..).take(CHANGES).collect();
    ensure!(told == expected, "{CHANGES} changes at once were told the generations {told:?}");
    let (read, (_, entries)) = (found(&*clients, id).await?, whole(&*stores.log).await?);
    let is_right = Some(&read.generation.number()) == expected.last() && entries.len() == CHANGES;
    ensure!(is_right, "after {CHANGES} changes the client is {read:?} and the log is {entries:?}");
    Ok(())
}

async fn enabling_keeps_tokens_revoked(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, clients) = open(backend).await?;
    let one = inserted(&*clients).await?;
    clients.disable(one.id, at(50), revoke_all()).await.map_err(unexpected)?;
    let expected = Client { generation: one.generation.next(), ..one.clone() };
    for _ in 0..2 {
        let enabled = clients.enable(one.id).await.map_err(unexpected)?;
        ensure!(enabled.as_ref() == Some(&expected), "enabling answered {enabled:?} in place of {expected:?}");
        let read = found(&*clients, one.id).await?;
        ensure!(read == expected, "after enabling the client is {read:?}");
    }
    ensure!(covers(&*stores.log, &token_of(one.id, one.generation)?).await?, "a token from before is good again");
    ensure!(!covers(&*stores.log, &token_of(one.id, expected.generation)?).await?, "a new token is covered");
    let unknown = clients.enable(client()?.id).await.map_err(unexpected)?;
    ensure!(unknown.is_none(), "enabling nobody answered {unknown:?}");
    Ok(())
}

async fn entry_raises_the_generation_of_a_client(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, clients) = open(backend).await?;
    let (one, other) = (inserted(&*clients).await?, inserted(&*clients).await?);
    let first = Generation::default().next();
    let third = first.next().next();
    for below in [third, first] {
        stores.log.append(&[everywhere(holder(one.id), below)]).await.map_err(unexpected)?;
        let read = found(&*clients, one.id).await?;
        ensure!(read.generation == third, "after an entry below {below:?} the client is {read:?}");
    }
    let read = found(&*clients, other.id).await?;
    ensure!(read == other, "the entry of one client left another as {read:?}");
    Ok(())
}

async fn last_use_goes_forward(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let (one, other) = (inserted(&*clients).await?, inserted(&*clients).await?);
    for (seconds, last) in [(50, 50), (40, 50), (60, 60)] {
        clients.record_use(one.id, at(seconds)).await.map_err(unexpected)?;
        let expected = Client { last_used_at: Some(at(last)), ..one.clone() };
        let read = found(&*clients, one.id).await?;
        ensure!(read == expected, "after a use at {seconds} s the client is {read:?}");
    }
    clients.record_use(client()?.id, at(50)).await.map_err(unexpected)?;
    let read = found(&*clients, other.id).await?;
    ensure!(read == other, "the use of one client left another as {read:?}");
    Ok(())
}

async fn clients_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let ((_, near), (_, far)) = (open(backend).await?, open(backend).await?);
    let one = inserted(&*near).await?;
    let seen = found(&*far, one.id).await?;
    ensure!(seen == one, "another node sees {seen:?}");
    ensure!(far.rotate_secret(one.id, rotation(1, 2, None)).await.map_err(unexpected)?, "another node rotates nothing");
    let seen = found(&*near, one.id).await?;
    ensure!(seen.secret == digest(2), "another node does not see the new secret: {seen:?}");
    near.disable(one.id, at(5), revoke_all()).await.map_err(unexpected)?;
    let seen = found(&*far, one.id).await?;
    ensure!(seen.disabled_at == Some(at(5)), "another node does not see that it is disabled: {seen:?}");
    Ok(())
}

async fn abandoned_disabling_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, clients) = open(backend).await?;
    for turns in patience() {
        let id = inserted(&*clients).await?.id;
        let finished = give_up_after(turns, clients.disable(id, at(5), revoke_all())).await;
        // The change may still be under way: its entry is looked for before and after the client was read.
        let entry = everywhere(holder(id), Generation::default().next());
        let logged = async || -> Result<bool, CheckError> {
            Ok(whole(&*stores.log).await?.1.iter().any(|(_, found)| *found == entry))
        };
        let before = logged().await?;
        let disabled = found(&*clients, id).await?.disabled_at.is_some();
        let after = logged().await?;
        ensure!(
            before != after || disabled == after,
            "given up after {turns} turns: disabled is {disabled}, and in the log is {after}"
        );
        if let Some(result) = finished {
            result.map_err(unexpected)?;
            return Ok(());
        }
    }
    Ok(())
}

async fn clients_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let (one, kind) = (inserted(&*clients).await?, StoreErrorKind::Unavailable);
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    failed("insert", kind, clients.insert(client()?).await)?;
    failed("list", kind, clients.list(None, 9).await)?;
    for id in [one.id, client()?.id] {
        failed("find", kind, clients.find(id).await)?;
        failed("rotate_secret", kind, clients.rotate_secret(id, rotation(1, 2, None)).await)?;
        failed("disable", kind, clients.disable(id, at(1), revoke_all()).await)?;
        failed("enable", kind, clients.enable(id).await)?;
        failed("record_use", kind, clients.record_use(id, at(1)).await)?;
    }
    Ok(())
}

async fn damaged_client_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, clients) = open(backend).await?;
    let one = inserted(&*clients).await?;
    if !backend.damage(Row::Client(one.id)).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("find", StoreErrorKind::Corrupt, clients.find(one.id).await)?;
    failed("list", StoreErrorKind::Corrupt, clients.list(None, 9).await)
}
