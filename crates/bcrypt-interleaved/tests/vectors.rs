//! Published vectors: Openwall's `crypt_blowfish`, jBCrypt, OpenBSD, passlib and John the Ripper.

use bcrypt_interleaved::{Error, Hash, Job, MAX_LANES, hash_many, verify_batch, verify_many};

const VECTORS: &[(&[u8], &str)] = &[
    // crypt_blowfish.
    (b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    (b"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
    (b"\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xff\xa3345", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e"),
    (b"\xa3ab", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS"),
    // Passwords of 72 bytes: the first 72 of longer published ones, or 72 as published.
    (
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
    (&[0xaa; 72], "$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6"),
    (&repeated(b"\xaa\x55"), "$2a$05$/OK.fbVrR/bpIqNJ5ianF.R9xrDjiycxMbQE2bp.vgqlYpW5wx2yy"),
    (&repeated(b"\x55\xaa\xff"), "$2a$05$/OK.fbVrR/bpIqNJ5ianF.9tQZzcJfm3uj2NvJ/n5xkhpqLrMpWCe"),
    (&repeated(b"0123456789"), "$2a$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi"),
    (&[b'0'; 72], "$2b$05$CCCCCCCCCCCCCCCCCCCCC.6.O1dLNbjod2uo0DVcW.jHucKbPDdHS"),
    (&[b'x'; 72], "$2a$05$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2"),
    // jBCrypt.
    (b"", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    (b"", "$2a$08$HqWuK6/Ng6sg9gQzbLrgb.Tl.ZHfXLhvt/SgVyWhQqgqcZ7ZuUtye"),
    (b"a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    (b"a", "$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V."),
    (b"a", "$2a$10$k87L/MF28Q673VKh8/cPi.SUl7MU/rWuSiIDDFayrKk/1tBsSQu4u"),
    (b"abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    (b"abc", "$2a$08$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm"),
    (b"abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi"),
    (b"abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
    (b"abcdefghijklmnopqrstuvwxyz", "$2a$10$fVH8e28OQRj9tqiDXs1e1uxpsjN0c7II7YPKXua2NAKYvM6iQk7dq"),
    (b"~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"),
    (b"~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$08$Eq2r4G/76Wv39MzSX262huzPz612MZiYHVUJe/OcOql2jo4.9UxTW"),
    // John the Ripper, by way of passlib.
    (b"U*U*U*U*", "$2a$05$c92SVSfjeiCD6F2nAD6y0uBpJDjdRkt0EgeC4/31Rf2LUZbDRDE.O"),
    (b"U*U***U", "$2a$05$WY62Xk2TXZ7EvVDQ5fmjNu7b0GEzSzUXUh2cllxJwhtOeMtWV3Ujq"),
    (b"U*U***U*", "$2a$05$Fa0iKV3E2SYVUlMknirWU.CFYGvJ67UwVKI1E2FP6XeLiZGcH3MJi"),
    (b"*U*U*U*U", "$2a$05$.WRrXibc1zPgIdRXYfv.4uu6TD1KWf0VnHzq/0imhUhuxSxCyeBs2"),
    (b"", "$2a$05$Otz9agnajgrAe0.kFVF9V.tzaStZ2s1s4ZWi/LY4sw2k/MTVFj/IO"),
    // The bcrypt crate: bytes of a random generator, with a NUL among them, hashed by Go.
    (
        &[
            29, 225, 195, 167, 223, 236, 85, 195, 114, 227, 7, 0, 209, 239, 189, 24, 51, 105, 124, 168, 151, 75, 144,
            64, 198, 197, 196, 4, 241, 97, 110, 135,
        ],
        "$2a$04$tjARW6ZON3PhrAIRW2LG/u9aDw5eFdstYLR8nFCNaOQmsH9XD23w.",
    ),
];

/// Returns the pattern, repeated over all 72 bytes.
const fn repeated(pattern: &[u8]) -> [u8; 72] {
    let mut bytes = [0; 72];
    let mut i = 0;
    while i < 72 {
        bytes[i] = pattern[i % pattern.len()];
        i += 1;
    }
    bytes
}

fn job(&(password, text): &(&'static [u8], &str)) -> Job<'static> {
    Job { password, hash: text.parse().expect("a published hash") }
}

#[test]
fn every_published_vector_verifies_in_one_lane() {
    for vector in VECTORS {
        assert_eq!(verify_many([job(vector)]), Ok([true]), "{}", vector.1);
    }
}

#[test]
fn every_published_vector_verifies_in_company_and_a_neighbours_password_does_not() {
    for cost in 4..=10 {
        let jobs: Vec<Job<'_>> = VECTORS.iter().map(job).filter(|job| job.hash.cost() == cost).collect();
        for width in 2..=MAX_LANES {
            for batch in jobs.windows(width) {
                let mut out = vec![false; width];
                verify_batch(batch, &mut out).expect("one cost");
                assert_eq!(out, vec![true; width]);
            }
        }
        for pair in jobs.windows(2).filter(|pair| pair[0].password != pair[1].password) {
            let crossed = [Job { hash: pair[1].hash, ..pair[0] }, Job { hash: pair[0].hash, ..pair[1] }];
            assert_eq!(verify_many(crossed), Ok([false, false]));
        }
    }
}

#[test]
fn hashing_writes_the_published_text_under_2b() {
    for &(password, text) in VECTORS {
        let published: Hash = text.parse().expect("a published hash");
        let [digest] = hash_many(published.cost(), [(password, published.salt())]).expect("within bounds");
        let written = Hash::new(published.cost(), published.salt(), digest).expect("within bounds").to_string();
        assert_eq!(written, format!("$2b{}", &text[3..]));
    }
}

#[test]
fn the_72nd_byte_counts_the_terminator_after_it_does_not_and_a_73rd_is_refused() {
    let salt = [7; 16];
    let long = [b'x'; 73];
    let [at_71, at_72] = hash_many(4, [(&long[..71], salt), (&long[..72], salt)]).expect("within bounds");
    assert_ne!(at_71, at_72);
    assert_eq!(at_71, bcrypt::bcrypt(4, salt, &[&long[..71], &[0]].concat())[..23]);
    assert_eq!(at_72, bcrypt::bcrypt(4, salt, &long[..72])[..23]);

    let too_long = Error::PasswordTooLong { index: 1, len: 73 };
    assert_eq!(hash_many(4, [(&b"short"[..], salt), (&long, salt)]), Err(too_long));
    let hash = Hash::new(4, salt, at_72).expect("within bounds");
    let jobs = [Job { password: &long[..72], hash }, Job { password: &long, hash }];
    let mut out = [true; 2];
    assert_eq!(verify_batch(&jobs, &mut out), Err(too_long));
    assert_eq!(out, [false; 2], "a refused batch leaves nothing accepted");
}

#[test]
fn a_nul_is_a_byte_like_any_other_and_the_key_repeats() {
    let salt = [9; 16];
    let hash = |password: &[u8]| hash_many(4, [(password, salt)]).expect("within bounds");
    assert_ne!(hash(b"a"), hash(b"a\0b"));
    assert_ne!(hash(b"a"), hash(b"a\0"));
    // These are properties of bcrypt itself, and the reason to refuse NUL before hashing.
    assert_eq!(hash(b"a"), hash(b"a\0a"));
    assert_eq!(hash(b""), hash(b"\0\0\0"));
}
