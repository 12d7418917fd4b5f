//! Password schemes that read arbitrary text.

use auth_core::{HashError, PasswordHash, PasswordHasher as _, Verdict};
use auth_password::{PasswordSchemes, Scheme as _};
use proptest::prelude::*;

use crate::counting::{Counting, Tally, argon2, bcrypt, password, totals};

proptest! {
    #[test]
    fn no_stored_text_makes_a_comparison_panic(text in "\\PC{0,80}|\\$(2[abxy]|argon2i?d?)\\$[0-9a-zA-Z$=,./+]{0,70}") {
        let schemes = PasswordSchemes::new(bcrypt(4)).reading(argon2(8, 1));
        // Only texts that are refused are compared, so that the test spends no time on hashing.
        let hash = PasswordHash::new(text);
        if schemes.batch_key(Some(&hash)).is_none() && argon2(8, 1).work(&hash).is_none_or(|work| work.is_err()) {
            prop_assert!(matches!(schemes.verify(&password("x"), &hash), Err(HashError::UnusableHash(_))));
        }
    }

    #[test]
    fn the_work_missing_to_a_level_is_exactly_the_difference(level in 4_u32..=8, cost in 4_u32..=8) {
        let tally = Tally::default();
        let schemes = PasswordSchemes::new(Counting { inner: bcrypt(level), tally: tally.clone() });
        let hash = bcrypt(cost).dummy_hash().unwrap();
        prop_assert_eq!(schemes.verify(&password("x"), &hash).unwrap(), Verdict::Mismatch);
        prop_assert_eq!(totals(&tally.lock().unwrap()), (1 << level.max(cost), 0));
    }
}
