//! Scenarios of the age of the copy: what makes it fresh, and what does not.

use serde_json::json;
use uuid::Uuid;

use crate::feed::{empty_snapshot, key, token};
use crate::scenario::{EPOCH, Scenario};
use crate::tokens::TOKEN;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        nothing_is_good_before_all_is_there(),
        the_bound(),
        ages_count(),
        an_age_is_rounded_down(),
        an_older_page(),
        a_cache_that_is_stuck(),
        a_page_that_comes_late(),
        clocks_that_run_apart(),
        a_server_whose_time_goes_back(),
        cut_off(),
    ]
}

fn nothing_is_good_before_all_is_there() -> Scenario {
    let mut scenario = Scenario::new("nothing is good before keys, snapshot and a page are there");
    scenario.keys_due(None, true);
    let asked = scenario.now;
    scenario.check("ed25519", "keys");
    scenario.keys(0, "", false);
    scenario.check_asked(asked, "ed25519", "unavailable");
    scenario.keys_due(None, false);
    scenario.wait(2_000);
    scenario.keys_due(None, true);
    let asked = scenario.now;
    scenario.keys(200, &crate::keys::document(), true);
    scenario.check_asked(asked, "ed25519", "unavailable");
    scenario.snapshot(0, b"", false);
    scenario.snapshot(503, b"{}", false);
    scenario.snapshot(200, &empty_snapshot(EPOCH), true);
    scenario.answer(0, json!({}), String::new(), false);
    scenario.check("ed25519", "unavailable");
    scenario.heartbeat();
    scenario.check("ed25519", "good");
    scenario
}

fn the_bound() -> Scenario {
    let mut scenario = Scenario::followed("the copy counts as of the start of the request, and up to the bound");
    scenario.entries(&[token(TOKEN)]);
    scenario.age(5_000);
    scenario.check("rs256", "good");
    scenario.wait(1);
    scenario.check("rs256", "unavailable");
    scenario.check("ed25519", "revoked");
    scenario.check("invalid alg: none", "invalid");
    scenario.answer(503, json!({}), String::new(), false);
    scenario.check("rs256", "unavailable");
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario.check("ed25519", "revoked");
    scenario
}

fn ages_count() -> Scenario {
    let mut scenario = Scenario::followed("the age of the server's copy and of a cache count");
    scenario.outlive_the_bound();
    let mut page = scenario.page(&[]);
    page["age_ms"] = json!(1_500);
    scenario.take_with(json!({ "age": "2" }), &page);
    scenario.age(500);
    scenario.check("rs256", "good");
    scenario.wait(1);
    scenario.check("rs256", "unavailable");
    // Two headers are one text with a comma (RFC 9110 §5.2).
    for age in ["soon", "-1", "1.5", "", "6", "600, 0", "0, 600"] {
        let page = scenario.page(&[]);
        scenario.take_with(json!({ "age": age }), &page);
        scenario.check("rs256", "unavailable");
    }
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario
}

fn an_age_is_rounded_down() -> Scenario {
    let mut scenario = Scenario::followed("an age is one second more than its header says, which is rounded down");
    for (age, left) in [("0", 4_000), ("3", 1_000), ("4", 0)] {
        scenario.outlive_the_bound();
        let page = scenario.page(&[]);
        scenario.take_with(json!({ "age": age }), &page);
        // The request began 20 ms ago.
        scenario.check("rs256", if left == 0 { "unavailable" } else { "good" });
        if left > 0 {
            scenario.age(left);
            scenario.check("rs256", "good");
            scenario.wait(1);
            scenario.check("rs256", "unavailable");
        }
    }
    scenario
}

fn an_older_page() -> Scenario {
    let mut scenario = Scenario::followed("a page does not make the copy older");
    scenario.wait(1_000);
    let page = scenario.page(&[]);
    scenario.take_with(json!({ "age": "4" }), &page);
    scenario.wait(3_000);
    scenario.check("rs256", "good");
    scenario
}

fn a_cache_that_is_stuck() -> Scenario {
    let mut scenario = Scenario::followed("a cache that repeats a page does not keep the copy fresh");
    let page = scenario.page(&[]);
    for _ in 0..5 {
        scenario.take(&page);
        scenario.check("rs256", "good");
        scenario.wait(980);
    }
    // The page is 5.015 s old now, and may look younger by one part in a thousand.
    scenario.wait(15);
    for _ in 0..5 {
        scenario.take(&page);
        scenario.check("rs256", "unavailable");
        scenario.wait(980);
    }
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario
}

fn a_page_that_comes_late() -> Scenario {
    let mut scenario = Scenario::followed("a page counts as of its making, however late it comes");
    let late = scenario.page(&[token(TOKEN)]);
    scenario.wait(6_000);
    scenario.take(&late);
    scenario.check("rs256", "unavailable");
    scenario.check("ed25519", "revoked");
    scenario.heartbeat();
    scenario.check("rs256", "good");
    scenario
}

fn clocks_that_run_apart() -> Scenario {
    let mut scenario = Scenario::followed("monotonic clocks that run apart make nothing stale");
    for _ in 0..72 {
        scenario.wait(3_600_000 - 20);
        let mut page = scenario.page(&[]);
        // The clock of the server loses 500 parts in a million, as one that NTP corrects may do.
        page["uptime_ms"] = json!(page["uptime_ms"].as_u64().unwrap() - scenario.now / 2_000);
        scenario.take(&page);
        scenario.stop_the_wall_clock();
        scenario.check("rs256", "good");
    }
    scenario
}

fn a_server_whose_time_goes_back() -> Scenario {
    let mut scenario = Scenario::followed("a server whose monotonic time goes back is not believed, and a new one is");
    scenario.outlive_the_bound();
    let mut page = scenario.page(&[]);
    page["uptime_ms"] = json!(1_000);
    scenario.take(&page);
    scenario.check("rs256", "unavailable");
    let mut page = scenario.page(&[]);
    page["uptime_ms"] = json!(1_000);
    page["instance"] = json!(Uuid::from_u128(0x1257_0000_0000_4000_8000_0000_0000_0002));
    scenario.take(&page);
    scenario.check("rs256", "good");
    scenario
}

fn cut_off() -> Scenario {
    let mut scenario =
        Scenario::followed("what is revoked while a follower is cut off is accepted up to the bound only");
    for _ in 0..5 {
        scenario.answer(0, json!({}), String::new(), false);
        scenario.check("rs256", "good");
        scenario.wait(900);
    }
    scenario.wait(500);
    for token in ["ed25519", "rs256", "of a client"] {
        scenario.check(token, "unavailable");
    }
    scenario.entries(&[key()]);
    scenario.check("ed25519", "revoked");
    scenario.check("of a client", "revoked");
    scenario.check("rs256", "good");
    scenario
}
