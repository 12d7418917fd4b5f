//! Comparison with the `bcrypt` crate, bit by bit.

use bcrypt_interleaved::{Digest, Hash, Job, MAX_LANES, Salt, hash_batch, hash_many, verify_batch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

type Input = (Vec<u8>, Salt);

/// Returns arbitrary bytes, NULs included. Lengths near the bound are drawn more often.
fn password() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![4 => any::<u8>(), 1 => Just(0), 1 => Just(0xff)];
    let length = prop_oneof![3 => 0_usize..=72, 1 => 70_usize..=72, 1 => 0_usize..=4];
    (vec(bytes, 72), length).prop_map(|(mut bytes, length)| {
        bytes.truncate(length);
        bytes
    })
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    vec((password(), any::<Salt>()), 1..=MAX_LANES)
}

fn reference(cost: u32, (password, salt): &Input) -> Digest {
    let mut key = password.clone();
    key.push(0);
    key.truncate(72);
    bcrypt::bcrypt(cost, *salt, &key)[..23].try_into().expect("23 bytes")
}

fn digests(cost: u32, inputs: &[Input]) -> Vec<Digest> {
    let borrowed: Vec<(&[u8], Salt)> = inputs.iter().map(|(password, salt)| (password.as_slice(), *salt)).collect();
    let mut out = vec![[0; 23]; inputs.len()];
    hash_batch(cost, &borrowed, &mut out).expect("within bounds");
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_lane_computes_what_the_bcrypt_crate_computes(inputs in inputs(), cost in 4_u32..=5) {
        let expected: Vec<Digest> = inputs.iter().map(|input| reference(cost, input)).collect();
        prop_assert_eq!(digests(cost, &inputs), expected);
    }

    #[test]
    fn a_lane_is_the_same_whatever_the_others_are(
        inputs in inputs(),
        strangers in vec((password(), any::<Salt>()), MAX_LANES),
        kept in any::<Index>(),
        order in Just([0, 1, 2, 3]).prop_shuffle(),
    ) {
        let before = digests(4, &inputs);

        let kept = kept.index(inputs.len());
        let mut replaced = strangers;
        replaced.truncate(inputs.len());
        replaced[kept] = inputs[kept].clone();
        prop_assert_eq!(digests(4, &replaced)[kept], before[kept]);
        prop_assert_eq!(digests(4, &inputs[kept..=kept])[0], before[kept]);

        let order: Vec<usize> = order.into_iter().filter(|&lane| lane < inputs.len()).collect();
        let permuted: Vec<Input> = order.iter().map(|&lane| inputs[lane].clone()).collect();
        let expected: Vec<Digest> = order.iter().map(|&lane| before[lane]).collect();
        prop_assert_eq!(digests(4, &permuted), expected);
    }

    #[test]
    fn each_crate_verifies_what_the_other_hashed(inputs in inputs(), wrong in any::<Index>(), flip in any::<Index>()) {
        let hashes: Vec<Hash> = inputs
            .iter()
            .map(|(password, salt)| {
                bcrypt::hash_with_salt(password, 4, *salt).expect("within bounds").to_string().parse().expect("a hash")
            })
            .collect();
        let mut passwords: Vec<Vec<u8>> = inputs.iter().map(|input| input.0.clone()).collect();
        let jobs = |passwords: &'_ [Vec<u8>]| -> Vec<bool> {
            let jobs: Vec<Job<'_>> =
                passwords.iter().zip(&hashes).map(|(password, &hash)| Job { password, hash }).collect();
            let mut out = vec![false; jobs.len()];
            verify_batch(&jobs, &mut out).expect("one cost");
            out
        };
        prop_assert_eq!(jobs(&passwords), vec![true; passwords.len()]);

        let wrong = wrong.index(passwords.len());
        if !passwords[wrong].is_empty() {
            let at = flip.index(passwords[wrong].len());
            passwords[wrong][at] ^= 1 << (flip.index(usize::MAX) % 8);
            let expected: Vec<bool> = (0..passwords.len())
                .map(|lane| bcrypt::verify(&passwords[lane], &hashes[lane].to_string()).expect("a hash"))
                .collect();
            prop_assert_eq!(jobs(&passwords), expected);
        }
    }

    #[test]
    fn the_two_crates_accept_the_same_texts(
        cost in 0_u32..=40,
        version in select(vec!["2a", "2b", "2y", "2c", "2", "3a"]),
        salt in any::<Salt>(),
        digest in any::<Digest>(),
        position in 0_usize..70,
        character in any::<char>(),
        edit in 0..5,
    ) {
        let well_formed = Hash::new(4, salt, digest).expect("within bounds").to_string();
        let mut text: Vec<char> = format!("${version}${cost:02}{}", &well_formed[6..]).chars().collect();
        let at = position % text.len();
        let ascii = char::from(u8::try_from(u32::from(character) % 128).expect("ASCII"));
        match edit {
            0 => text[at] = character,
            1 => text[at] = ascii,
            2 => text.insert(at, ascii),
            3 => drop(text.remove(at)),
            _ => {}
        }
        let text: String = text.into_iter().collect();

        // The other crate accepts three forms that it cannot compute or that are refused here: a cost out of bounds,
        // `$2x$`, and a sign before the cost.
        let theirs = text.parse::<bcrypt::HashParts>();
        let accepted = theirs.as_ref().is_ok_and(|parts| (4..=31).contains(&parts.get_cost()))
            && !text.starts_with("$2x$")
            && !text.contains('+');
        let ours = text.parse::<Hash>();
        prop_assert_eq!(ours.is_ok(), accepted, "{}: {:?}, {:?}", text, ours, theirs);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.salt(), theirs.get_salt_raw());
            prop_assert_eq!(ours.cost(), theirs.get_cost());
            prop_assert_eq!(ours.to_string(), theirs.to_string());
        }
    }
}

#[test]
fn all_widths_agree_at_a_higher_cost() {
    let salts: [Salt; 4] = [[0; 16], [0xff; 16], *b"0123456789abcdef", [0x80; 16]];
    let inputs: Vec<Input> =
        salts.into_iter().zip(["", "a", "correct horse", "\u{e9}\u{1f511}"]).map(|(s, p)| (p.into(), s)).collect();
    let expected: Vec<Digest> = inputs.iter().map(|input| reference(8, input)).collect();
    for width in 1..=MAX_LANES {
        for (window, expected) in inputs.windows(width).zip(expected.windows(width)) {
            assert_eq!(digests(8, window), expected);
        }
    }
    let lanes: [(&[u8], Salt); 3] = std::array::from_fn(|lane| (inputs[lane].0.as_slice(), inputs[lane].1));
    assert_eq!(hash_many(8, lanes).expect("within bounds")[..], expected[..3]);
}
