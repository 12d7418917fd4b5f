//! Refused inputs, secrets in `Debug`, and comparisons.

use bcrypt_interleaved::{
    Digest, Error, Hash, Job, ParseHashError, Salt, hash_batch, hash_batch_pausing, hash_many, verify_batch,
    verify_many,
};

const TEXT: &str = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";

fn hash() -> Hash {
    TEXT.parse().expect("well formed")
}

#[test]
fn malformed_texts_are_refused_each_for_its_own_reason() {
    let cases = [
        ("", ParseHashError::Shape),
        (&TEXT[..59], ParseHashError::Shape),
        (&format!("{TEXT}e"), ParseHashError::Shape),
        (&format!("!{}", &TEXT[1..]), ParseHashError::Shape),
        (&TEXT.replace("04$", "04."), ParseHashError::Shape),
        (&TEXT.replace("2b", "2x"), ParseHashError::Version),
        (&TEXT.replace("2b", "2B"), ParseHashError::Version),
        (&TEXT.replace("$2b", "$1b"), ParseHashError::Version),
        (&TEXT.replace("04", "03"), ParseHashError::Cost),
        (&TEXT.replace("04", "32"), ParseHashError::Cost),
        (&TEXT.replace("04", "+4"), ParseHashError::Cost),
        (&TEXT.replace("04", " 4"), ParseHashError::Cost),
        (&TEXT.replace("04", "0x"), ParseHashError::Cost),
        (&TEXT.replace("EGdr", "EG+r"), ParseHashError::Encoding),
        (&TEXT.replace("EGdr", "EG=r"), ParseHashError::Encoding),
        (&TEXT.replace("EGdr", "EG$r"), ParseHashError::Encoding),
        (&TEXT.replace("EGdr", "E\u{e9}r"), ParseHashError::Encoding),
        // The last character of salt and digest carries bits that belong to no byte.
        (&TEXT.replace("HQOxSg", "HQPxSg"), ParseHashError::Encoding),
        (&TEXT.replace("xcie", "xcif"), ParseHashError::Encoding),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Hash>(), Err(error), "{text}");
    }
}

#[test]
fn the_three_versions_are_one_hash_and_it_is_written_as_2b() {
    for version in ["2a", "2b", "2y"] {
        let read: Hash = TEXT.replace("2b", version).parse().expect("well formed");
        assert_eq!(read, hash());
        assert_eq!(read.to_string(), TEXT);
        assert_eq!(Hash::new(read.cost(), read.salt(), read.digest()), Ok(read));
    }
}

#[test]
fn any_one_bit_of_digest_salt_or_cost_makes_another_hash() {
    let hash = hash();
    assert!(hash.matches(&hash.digest()));
    for bit in 0..8 * 23 {
        let mut digest: Digest = hash.digest();
        digest[bit / 8] ^= 1 << (bit % 8);
        assert!(!hash.matches(&digest));
        assert_ne!(Hash::new(4, hash.salt(), digest), Ok(hash));
    }
    for bit in 0..8 * 16 {
        let mut salt: Salt = hash.salt();
        salt[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(Hash::new(4, salt, hash.digest()), Ok(hash));
    }
    assert_ne!(Hash::new(5, hash.salt(), hash.digest()), Ok(hash));
}

#[test]
fn costs_outside_the_bounds_are_refused_before_anything_is_computed() {
    for cost in [0, 3, 32, 63, 64, u32::MAX] {
        assert_eq!(hash_many(cost, [(&b"secret"[..], [0; 16])]), Err(Error::Cost(cost)));
        assert_eq!(hash_batch(cost, &[(b"secret", [0; 16])], &mut [[0; 23]]), Err(Error::Cost(cost)));
        assert_eq!(Hash::new(cost, [0; 16], [0; 23]), Err(Error::Cost(cost)));
    }
    assert!(Hash::new(31, [0; 16], [0; 23]).is_ok());
}

#[test]
fn a_refused_batch_accepts_nobody_and_writes_no_digest() {
    let right = Job { password: b"correctbatteryhorsestapler", hash: hash() };
    assert_eq!(verify_many([right]), Ok([true]));
    let other = Hash::new(5, right.hash.salt(), right.hash.digest()).expect("within bounds");
    let cases: [(&[Job<'_>], usize, Error); 5] = [
        (&[], 0, Error::BatchSize(0)),
        (&[right; 5], 5, Error::BatchSize(5)),
        (&[right; 2], 3, Error::OutputSize { jobs: 2, room: 3 }),
        (&[right; 2], 1, Error::OutputSize { jobs: 2, room: 1 }),
        (&[right, right, Job { hash: other, ..right }], 3, Error::MixedCosts(4, 5)),
    ];
    for (jobs, room, error) in cases {
        let mut out = vec![true; room];
        assert_eq!(verify_batch(jobs, &mut out), Err(error));
        assert!(!out.contains(&true));
    }

    let mut digests = [[1; 23]; 2];
    let input: (&[u8], Salt) = (b"secret", [0; 16]);
    assert_eq!(hash_batch(4, &[input], &mut digests), Err(Error::OutputSize { jobs: 1, room: 2 }));
    assert_eq!(hash_batch(4, &[input; 5], &mut [[1; 23]; 5]), Err(Error::BatchSize(5)));
    assert_eq!(hash_batch(4, &[], &mut []), Err(Error::BatchSize(0)));
    let too_long = Error::PasswordTooLong { index: 0, len: 100 };
    assert_eq!(hash_batch(4, &[(&[b'x'; 100], [0; 16]), input], &mut digests), Err(too_long));
    assert_eq!(digests, [[1; 23]; 2]);
}

#[test]
fn nothing_printed_shows_a_password_a_salt_or_a_digest() {
    let password = b"hunter2hunter2";
    let printed = format!("{:?} {:?}", Job { password, hash: hash() }, hash());
    let error = Error::PasswordTooLong { index: 0, len: 73 };
    let printed = format!("{printed} {error} {error:?} {:?}", "$2b$04$hunter2".parse::<Hash>());
    for secret in ["hunter2", "EGdrhb", "Qbt", &format!("{password:?}"), &format!("{:?}", hash().salt())] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn a_pause_comes_after_each_iteration_and_changes_no_digest() {
    let inputs = [(b"one".as_slice(), [1; 16]), (b"two", [2; 16]), (b"three", [3; 16]), (b"four", [4; 16])];
    for lanes in 1..=inputs.len() {
        for cost in [4, 6] {
            let (mut plain, mut paused, mut pauses) = ([[0; 23]; 4], [[0; 23]; 4], 0);
            assert_eq!(hash_batch(cost, &inputs[..lanes], &mut plain[..lanes]), Ok(()));
            let counted = hash_batch_pausing(cost, &inputs[..lanes], &mut paused[..lanes], &mut || pauses += 1);
            assert_eq!((counted, pauses), (Ok(()), 1 << cost));
            assert_eq!(paused, plain);
        }
    }
    let refused = hash_batch_pausing(3, &inputs, &mut [[0; 23]; 4], &mut || panic!("nothing is computed"));
    assert_eq!(refused, Err(Error::Cost(3)));
}
