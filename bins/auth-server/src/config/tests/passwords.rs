//! The settings of passwords and of their hashes.

use super::*;

#[test]
fn without_the_common_list_production_asks_for_longer_passwords() {
    let prod = |extra: &[(&str, &str)]| {
        let given = [("AUTH_ENV", "prod"), ("AUTH_DATABASE_URL", "sqlite://a.db"), ("AUTH_TOKEN_SECRET", STRONG)];
        load(&[&given[..], extra].concat())
    };
    let list_off = ("AUTH_PASSWORD_COMMON_LIST", "off");
    assert_eq!(prod(&[list_off]).unwrap().passwords.min_length, 15);
    let problems = prod(&[list_off, ("AUTH_PASSWORD_MIN_LENGTH", "14")]).unwrap_err();
    assert_eq!(variables(&problems), ["AUTH_PASSWORD_MIN_LENGTH"]);
    assert!(problems.to_string().contains("from 15 to 64"), "{problems}");
    assert_eq!(prod(&[("AUTH_PASSWORD_MIN_LENGTH", "8")]).unwrap().passwords.min_length, 8);
    assert!(prod(&[("AUTH_PASSWORD_MIN_LENGTH", "7")]).is_err());
}

#[test]
fn hashes_are_bounded_and_strong_in_production() {
    use auth_password::{Argon2Params, HashWork};

    let passwords = load(&[]).unwrap().passwords;
    assert_eq!((passwords.scheme, passwords.argon2), (PasswordScheme::Bcrypt, Argon2Params::RECOMMENDED));
    let passwords = load(&[
        ("AUTH_PASSWORD_SCHEME", "argon2id"),
        ("AUTH_ARGON2_MEMORY_KIB", "65536"),
        ("AUTH_ARGON2_PASSES", "3"),
        ("AUTH_ARGON2_LANES", "4"),
        ("AUTH_PASSWORD_LEGACY", "bcrypt:10, argon2id:4096:3:1"),
    ])
    .unwrap()
    .passwords;
    assert_eq!(passwords.scheme, PasswordScheme::Argon2id);
    assert_eq!(passwords.argon2, Argon2Params::new(65_536, 3, 4).unwrap());
    let legacy = [HashWork::Bcrypt { cost: 10 }, HashWork::Argon2 { memory_kib: 4_096, passes: 3, lanes: 1 }];
    assert_eq!(passwords.legacy, legacy);
    for (variable, wrong) in [
        ("AUTH_PASSWORD_SCHEME", "scrypt"),
        ("AUTH_ARGON2_MEMORY_KIB", "7"),
        ("AUTH_ARGON2_MEMORY_KIB", "262145"),
        ("AUTH_ARGON2_PASSES", "17"),
        ("AUTH_ARGON2_LANES", "0"),
        ("AUTH_PASSWORD_LEGACY", "bcrypt"),
        ("AUTH_PASSWORD_LEGACY", "bcrypt:17"),
        ("AUTH_PASSWORD_LEGACY", "argon2id:1:1:1"),
        ("AUTH_PASSWORD_LEGACY", "md5:1"),
    ] {
        assert_eq!(variables(&load(&[(variable, wrong)]).unwrap_err()), [variable], "{wrong}");
    }
    let weak = load(&[
        ("AUTH_ENV", "prod"),
        ("AUTH_DATABASE_URL", "sqlite://a.db"),
        ("AUTH_TOKEN_SECRET", STRONG),
        ("AUTH_PASSWORD_SCHEME", "argon2id"),
        ("AUTH_ARGON2_PASSES", "1"),
    ]);
    assert_eq!(variables(&weak.unwrap_err()), ["AUTH_ARGON2_MEMORY_KIB"]);
}

#[test]
fn the_room_for_waiting_hashes_grows_with_the_threads_unless_it_is_set() {
    assert_eq!(load(&[("AUTH_HASH_THREADS", "3")]).unwrap().hashing.queue, 192);
    let config = load(&[("AUTH_HASH_THREADS", "3"), ("AUTH_HASH_QUEUE", "10")]).unwrap();
    assert_eq!(config.hashing.queue, 10);
}

#[test]
fn the_hashing_settings_are_bounded() {
    for (variable, wrong) in [
        ("AUTH_HASH_THREADS", ["0", "1025"]),
        ("AUTH_HASH_WIDTH", ["0", "5"]),
        ("AUTH_HASH_QUEUE", ["0", "100001"]),
        ("AUTH_HASH_MAX_WAIT", ["99ms", "21s"]),
        ("AUTH_HASH_PRIORITY", ["19", "Low"]),
    ] {
        for value in wrong {
            assert_eq!(variables(&load(&[(variable, value)]).unwrap_err()), [variable], "{value}");
        }
    }
    let config = load(&[
        ("AUTH_HASH_THREADS", "1024"),
        ("AUTH_HASH_WIDTH", "1"),
        ("AUTH_HASH_QUEUE", "100000"),
        ("AUTH_HASH_MAX_WAIT", "100ms"),
        ("AUTH_HASH_PRIORITY", "lowest"),
    ])
    .unwrap();
    let HashingSettings { threads, width, queue, max_wait, priority } = config.hashing;
    assert_eq!((threads.get(), width.get(), queue), (1_024, 1, 100_000));
    assert_eq!((max_wait, priority), (Duration::from_millis(100), auth_password::ThreadPriority::Lowest));
}
