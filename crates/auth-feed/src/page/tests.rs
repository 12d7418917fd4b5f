use auth_core::blacklist::{LogEntry, LogIdentity, RevocationReason, RevocationTarget};
use auth_core::{Generation, Revocation};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const EPOCH: LogIdentity = LogIdentity(Uuid::from_u128(0x67e5));

fn cursor(position: u64, mark: u64) -> Cursor {
    Cursor { epoch: EPOCH, position: Position(position), mark: Some(Mark(mark)) }
}

fn target() -> impl Strategy<Value = RevocationTarget> {
    let id = || any::<u128>().prop_map(Uuid::from_u128);
    prop_oneof![
        id().prop_map(|id| RevocationTarget::Token(id.into())),
        id().prop_map(|id| RevocationTarget::Session(id.into())),
        (id(), any::<u32>())
            .prop_map(|(id, below)| RevocationTarget::User { id: id.into(), below: Generation::new(below) }),
        id().prop_map(|id| RevocationTarget::Key(id.into())),
    ]
}

/// A page after some cursor, with gaps between its positions.
fn page() -> impl Strategy<Value = (Cursor, FeedPage)> {
    let entry = (target(), any::<u64>(), 1_u64..4, 0_i64..4_000_000_000, 0_u32..1_000_000_000);
    let entries = proptest::collection::vec(entry, 0..20);
    (0_u64..1_000, entries, 0_u64..3, any::<(u32, u32)>()).prop_map(|(after, entries, trailing, (uptime, age))| {
        let mut position = after;
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(target, mark, step, seconds, nanos)| {
                position += step;
                let instant =
                    OffsetDateTime::from_unix_timestamp(seconds).unwrap() + Duration::from_nanos(nanos.into());
                let revocation =
                    Revocation { target, expires_at: instant, revoked_at: instant, reason: RevocationReason::Demoted };
                FeedEntry::from(&LogEntry { position: Position(position), mark: Mark(mark), revocation })
            })
            .collect();
        let end = position + trailing;
        let mark = entries.last().filter(|_| trailing == 0).map_or(0, |entry| entry.mark.0);
        let page = FeedPage {
            stamp: Stamp {
                instance: Uuid::from_u128(3),
                uptime: Duration::from_millis(uptime.into()),
                age: Duration::from_millis(age.into()),
            },
            head: Position(end),
            purged: Purged::default(),
            skipped: end - after - entries.len() as u64,
            entries,
            next: cursor(end, mark),
        };
        (cursor(after, 5), page)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read((after, page) in page()) {
        prop_assert_eq!(FeedPage::from_json(&page.to_json(), &after).unwrap(), page);
    }

    #[test]
    fn a_page_that_lacks_an_entry_is_refused((after, page) in page(), place in any::<proptest::sample::Index>()) {
        prop_assume!(!page.entries.is_empty());
        let mut cut = page.clone();
        cut.entries.remove(place.index(page.entries.len()));
        prop_assert!(FeedPage::from_json(&cut.to_json(), &after).is_err());
        let json = page.to_json();
        prop_assert!(FeedPage::from_json(&json[..place.index(json.len())], &after).is_err());
    }

    #[test]
    fn a_page_for_another_cursor_is_refused((after, page) in page(), position in 0_u64..1_000) {
        prop_assume!(position != after.position.0);
        prop_assert!(FeedPage::from_json(&page.to_json(), &cursor(position, 5)).is_err());
        let other = Cursor { epoch: LogIdentity(Uuid::from_u128(1)), ..after };
        prop_assert!(FeedPage::from_json(&page.to_json(), &other).is_err());
    }
}

fn sample() -> Value {
    json!({
        "epoch": EPOCH.0, "instance": Uuid::from_u128(3), "uptime_ms": 5, "age_ms": 0, "head": 9,
        "purged": {"tokens": 0, "users": 0},
        "entries": [
            {"position": 8, "mark": "0000000000000008", "token": Uuid::from_u128(1), "exp": 1_800_000_000},
            {"position": 9, "mark": "0000000000000009", "key": "0000000000000000000000000000000a", "exp": 1_800_000_000},
        ],
        "skipped": 1, "next": format!("{}:9:0000000000000009", EPOCH.0),
    })
}

#[test]
fn a_page_that_breaks_a_rule_is_refused() {
    let read = |page: &Value| {
        FeedPage::from_json(page.to_string().as_bytes(), &cursor(6, 0)).map_err(|error| error.to_string())
    };
    assert!(read(&sample()).is_ok());
    let changes: [(&str, Value, &str); 13] = [
        ("/entries/0/position", json!(10), "`entries`"),
        ("/entries/0/position", json!(6), "`entries`"),
        ("/entries/1/mark", json!("0000000000000007"), "`next`"),
        ("/entries/1/mark", json!("9"), "position 9"),
        ("/entries/1/key", json!("a"), "position 9"),
        ("/entries/0/token", Value::Null, "position 8"),
        ("/entries/0/exp", json!(i64::MAX), "position 8"),
        ("/skipped", json!(0), "`skipped`"),
        ("/skipped", json!(u64::MAX), "`skipped`"),
        ("/head", json!(8), "`head`"),
        ("/next", json!(format!("{}:9", EPOCH.0)), "`next`"),
        ("/uptime_ms", json!(1_u64 << 53), "`uptime_ms`"),
        ("/epoch", json!(Uuid::nil()), "`epoch`"),
    ];
    for (pointer, value, named) in changes {
        let mut page = sample();
        *page.pointer_mut(pointer).unwrap() = value.clone();
        let error = read(&page).expect_err(pointer);
        assert!(error.contains(named), "{pointer} = {value}: {error}");
    }
}

#[test]
fn a_session_that_expires_long_after_its_end_is_refused() {
    let expiry = 1_800_000_000_i64;
    for (exp, at, is_read) in [
        (expiry, expiry + 86_400, true),
        (expiry, expiry - 7_790_400, true),
        (expiry, expiry - 7_790_401, false),
        (100, 0, true),
        (100, -1, false),
        (-1, 0, false),
        (expiry, -377_705_116_800, false),
    ] {
        let mut page = sample();
        page["entries"][0] = json!({
            "position": 8, "mark": "0000000000000008", "session": Uuid::from_u128(1), "exp": exp, "at": at,
        });
        let read = FeedPage::from_json(page.to_string().as_bytes(), &cursor(6, 0));
        assert_eq!(read.is_ok(), is_read, "{exp} {at}: {read:?}");
    }
}

#[test]
fn an_entry_of_an_unknown_kind_is_refused_and_an_unknown_member_is_not() {
    let mut page = sample();
    page["more"] = json!(1);
    assert!(FeedPage::from_json(page.to_string().as_bytes(), &cursor(6, 0)).is_ok());
    page["entries"][0].as_object_mut().unwrap().remove("token");
    page["entries"][0]["device"] = json!(Uuid::from_u128(1));
    assert!(FeedPage::from_json(page.to_string().as_bytes(), &cursor(6, 0)).is_err());
}

#[test]
fn expiries_are_rounded_up_and_times_of_revocation_down() {
    let instant = OffsetDateTime::from_unix_timestamp(100).unwrap() + Duration::from_millis(1);
    let revocation = Revocation {
        target: RevocationTarget::Session(Uuid::nil().into()),
        expires_at: instant,
        revoked_at: instant,
        reason: RevocationReason::Logout,
    };
    let entry = FeedEntry::from(&LogEntry { position: Position(1), mark: Mark(1), revocation });
    assert_eq!((entry.expires_at.unix_timestamp(), entry.revoked_at.unix_timestamp()), (101, 100));
}
