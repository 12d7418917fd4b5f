//! What clients were told, and whether a node still stands by it.

use std::collections::BTreeMap;
use std::time::Duration;

use auth_core::blacklist::{LogEntry, Position, RevocationTarget};
use auth_core::{RevocationSource as _, TokenId};
use auth_storage::{ConnectOptions, SeaRevocationLog, connect};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_tests::Forge;
use sea_orm::{ConnectionTrait as _, Statement};
use tokio::time::Instant;

use crate::node::{BOUND, Door, revoked, verdict};

/// The answers that clients got.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Names that somebody tried to register, and whether the answer was that it is done.
    pub(crate) accounts: Vec<(String, bool)>,
    /// Tokens that were handed out.
    pub(crate) tokens: Vec<(String, Fate)>,
    /// Entries that were appended to the log by other means.
    pub(crate) extra: Vec<TokenId>,
    /// Answers that the contract forbids.
    pub(crate) violations: Vec<String>,
}

/// The state of a token, as far as its client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nobody logged out with it.
    Good,
    /// Somebody tried, and was not told that it is done. It may be; it may not be.
    Unsure,
    /// The logout was acknowledged, by this node, before this moment.
    LoggedOut {
        /// Which node it was, by its place among the nodes.
        node: usize,
        /// A moment after the acknowledgement.
        at: Instant,
    },
}

impl Fate {
    /// Holds the answer of a node to a check against the contract. `started` is a moment before the check was sent.
    pub(crate) fn permits(
        self,
        (status, code): &(u16, String),
        node: usize,
        started: Instant,
        bound: Duration,
    ) -> bool {
        match (status, code.as_str()) {
            (503, "unavailable") => true,
            (401, "token_revoked") => self != Self::Good,
            (200, _) => match self {
                Self::Good | Self::Unsure => true,
                Self::LoggedOut { node: by, at } => node != by && started <= at + bound,
            },
            _ => false,
        }
    }

    /// Asks until the node answers as it must in the end; meanwhile it may only answer as the contract permits.
    pub(crate) async fn settles(self, token: &str, node: usize, door: &Door) {
        let settled = if self == Self::Good { (200, String::new()) } else { revoked() };
        let is_settled = async || {
            let started = Instant::now();
            let answer = verdict(&door.check(token).await.unwrap());
            let permitted = self.permits(&answer, node, started, BOUND);
            assert!(permitted, "node {node} answers {answer:?}, but it is {self:?}\n{}", door.said());
            answer == settled
        };
        door.until("a token is what it must be", is_settled).await;
    }
}

impl Ledger {
    /// Number of acknowledged writes.
    pub(crate) fn acknowledged(&self) -> usize {
        let accounts = self.accounts.iter().filter(|(_, acknowledged)| *acknowledged).count();
        accounts + self.tokens.iter().filter(|(_, fate)| matches!(fate, Fate::LoggedOut { .. })).count()
    }

    /// Asks nodes that are well: everything that was acknowledged is so, and what was not is one or the other, and the
    /// same for everybody. Afterwards nothing is unsure any more.
    pub(crate) async fn verify(&mut self, doors: &[Door]) {
        let door = &doors[0];
        for (name, acknowledged) in &mut self.accounts {
            if !*acknowledged {
                // A registration is whole or not at all: whoever comes again can log in afterwards.
                let again = verdict(&door.register(name).await.unwrap());
                assert!(matches!(again.0, 201 | 409), "{name} registered again: {again:?}\n{}", door.said());
                *acknowledged = true;
            }
            for door in doors {
                assert_eq!(verdict(&door.login(name).await.unwrap()).0, 200, "{name} logs in\n{}", door.said());
            }
        }
        for (token, fate) in &mut self.tokens {
            if *fate == Fate::Unsure {
                let again = verdict(&door.logout(token).await.unwrap());
                assert!(again.0 == 200 || again == revoked(), "a second logout: {again:?}\n{}", door.said());
                *fate = Fate::LoggedOut { node: 0, at: Instant::now() };
            }
            for (node, door) in doors.iter().enumerate() {
                fate.settles(token, node, door).await;
            }
        }
    }

    /// Reads the log itself: there is a whole entry at every position up to the head, one for each token that was logged out,
    /// and none for another one. To be called after [`verify`](Self::verify) of all that was ever written there.
    pub(crate) async fn verify_log(ledgers: &[Self], database: &TestDatabase) {
        let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
        if database.kind() == TestDatabaseKind::Sqlite {
            let connection = opened.connection();
            let check = Statement::from_string(connection.get_database_backend(), "PRAGMA integrity_check");
            let row = connection.query_one_raw(check).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok");
        }
        let page = SeaRevocationLog::new(opened.clone()).read_after(Position(0), u32::MAX).await.unwrap();
        opened.close().await.unwrap();
        let positions: Vec<u64> = page.entries.iter().map(|entry| entry.position.0).collect();
        assert_eq!(positions, (1..=page.head.0).collect::<Vec<_>>(), "an entry at every position");
        let mut entries: BTreeMap<TokenId, usize> = BTreeMap::new();
        for LogEntry { revocation, .. } in &page.entries {
            let RevocationTarget::Token(id) = revocation.target else { panic!("{revocation:?}") };
            *entries.entry(id).or_default() += 1;
        }
        let tokens = ledgers.iter().flat_map(|ledger| &ledger.tokens);
        let logged_out = tokens.filter(|(_, fate)| *fate != Fate::Good);
        let extra = ledgers.iter().flat_map(|ledger| &ledger.extra).copied();
        let expected: BTreeMap<TokenId, usize> =
            logged_out.map(|(token, _)| token_id(token)).chain(extra).map(|id| (id, 1)).collect();
        assert_eq!(entries, expected, "one entry for each logout");
    }
}

pub(crate) async fn refuses(door: &Door, token: &str) -> bool {
    verdict(&door.check(token).await.unwrap()) == revoked()
}

fn token_id(token: &str) -> TokenId {
    let claims = Forge::from_token(token).claims;
    claims["jti"].as_str().unwrap().parse().unwrap()
}
