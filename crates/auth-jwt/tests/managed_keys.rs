//! Keys that a program generates, seals and publishes, and the codec whose keys change.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use auth_core::keys::KeyAlgorithm;
use auth_core::{Claims, Generation, InvalidToken, TokenCodec, TokenId, UserId};
use auth_jwt::{
    Jwks, JwtCodec, KeyError, MAX_JWKS_BYTES, MasterKey, MasterKeyError, MasterKeys, PrivateKey, RotatingCodec,
    SealError, SigningKey, VerifyingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

#[expect(dead_code, reason = "these tests need some of the pairs")]
mod keys;

fn claims() -> Claims {
    let issued_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Claims {
        user_id: UserId::generate(issued_at).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at,
        expires_at: issued_at + Duration::from_secs(3600),
        generation: Generation::new(3),
        admin: false,
        key_id: None,
        grants: None,
    }
}

fn master(byte: u8) -> MasterKey {
    let mut bytes = [byte; 32];
    bytes[0] ^= 1;
    MasterKey::from_base64(&STANDARD.encode(bytes)).unwrap()
}

fn jwk(key: &SigningKey) -> Value {
    serde_json::from_str(&key.verifying_key().to_jwk_json().unwrap()).unwrap()
}

#[test]
fn a_generated_key_of_every_algorithm_signs_what_its_published_half_verifies() {
    for algorithm in KeyAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap().signing_key().unwrap();
        assert_eq!(key.algorithm(), algorithm.as_str());
        let published = jwk(&key);
        assert_eq!((&published["kid"], &published["use"]), (&json!(key.id()), &json!("sig")));
        assert_eq!(published["alg"], algorithm.as_str());
        assert_eq!(key.id(), thumbprint(&published), "the kid is the whole thumbprint of RFC 7638");
        let verifying = VerifyingKey::from_jwk_json(&published.to_string()).unwrap();
        let mut claims = claims();
        let token = JwtCodec::new(key, "issuer", "audience").encode(&claims).unwrap();
        let verifier = JwtCodec::verify_only("issuer", "audience").with_verifying_key(verifying);
        let read = verifier.decode(token.expose_token()).unwrap();
        claims.key_id = read.key_id;
        assert_eq!(read, claims);
    }
}

/// Computes the thumbprint by the letter of RFC 7638 §3.
fn thumbprint(jwk: &Value) -> String {
    let members: &[&str] = match jwk["kty"].as_str().unwrap() {
        "OKP" => &["crv", "kty", "x"],
        "EC" => &["crv", "kty", "x", "y"],
        _ => &["e", "kty", "n"],
    };
    let members: Vec<_> = members.iter().map(|name| format!("\"{name}\":{}", jwk[*name])).collect();
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}

#[test]
fn a_jwk_that_is_private_or_for_another_purpose_is_refused() {
    let change = |key: &str, change: &dyn Fn(&mut Value)| {
        let mut jwk = jwk(&SigningKey::from_pem(key.as_bytes()).unwrap());
        change(&mut jwk);
        VerifyingKey::from_jwk_json(&jwk.to_string())
    };
    let (ed, p256, rsa) = (keys::ED25519.private, keys::P256.private, keys::RSA_2048.private);
    for key in [ed, p256, rsa] {
        assert!(change(key, &|_| {}).is_ok());
        assert!(change(key, &|jwk| jwk["x5c"] = json!(["ignored"])).is_ok());
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(change(key, &|jwk| jwk[member] = json!("AA")).unwrap_err(), KeyError::PrivateJwk, "{member}");
        }
        for (member, value) in [
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("alg", json!("PS256")),
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
        ] {
            let refused = change(key, &|jwk| jwk[member] = value.clone()).unwrap_err();
            assert_eq!(refused, KeyError::PurposeOfJwk, "{member} {value}");
        }
        for (member, value) in [("kid", json!("")), ("kid", json!("k".repeat(257))), ("kty", json!("XYZ"))] {
            let refused = change(key, &|jwk| jwk[member] = value.clone()).unwrap_err();
            assert_eq!(refused, KeyError::UnsupportedJwk, "{member}");
        }
    }
    for (key, member, value) in [
        (ed, "x", "AAAA"),
        (ed, "crv", "X25519"),
        (p256, "x", "AAAA"),
        (p256, "crv", "P-384"),
        (rsa, "n", "AAAA"),
        (rsa, "e", ""),
    ] {
        let refused = change(key, &|jwk| jwk[member] = json!(value)).unwrap_err();
        assert_eq!(refused, KeyError::UnsupportedJwk, "{member} {value}");
    }
    let off_the_curve = change(p256, &|jwk| jwk["y"] = jwk["x"].clone());
    assert_eq!(off_the_curve.unwrap_err(), KeyError::UnsupportedJwk);
    let secret = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]), "alg": "HS256"});
    assert_eq!(VerifyingKey::from_jwk_json(&secret.to_string()).unwrap_err(), KeyError::PrivateJwk);
    let twice = r#"{"kty":"oct","kty":"OKP","crv":"Ed25519","x":"AAAA"}"#;
    assert_eq!(VerifyingKey::from_jwk_json(twice).unwrap_err(), KeyError::UnsupportedJwk);
}

#[test]
fn a_set_gives_the_keys_that_can_be_used_and_leaves_the_others_out() {
    let of = |pem: keys::KeyPair| SigningKey::from_pem(pem.private.as_bytes()).unwrap();
    let (ed, rsa) = (of(keys::ED25519), of(keys::RSA_2048));
    let set =
        json!({"keys": [{"kty": "XYZ"}, jwk(&ed), {"kty": "oct", "k": "AAAA"}, jwk(&rsa), jwk(&ed), 7], "more": 1});
    let kids: Vec<_> = Jwks::parse(&set.to_string()).unwrap().iter().map(|key| key.id().to_owned()).collect();
    assert_eq!(kids, [ed.id(), rsa.id()]);
    let round = JwtCodec::new(ed.clone(), "issuer", "audience").jwks();
    assert_eq!(Jwks::parse(round.as_json()).unwrap()[0].id(), ed.id());
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert_eq!(Jwks::parse(text).unwrap_err(), KeyError::NotJwks, "{text}");
    }
    let long = format!("{}{}", set, " ".repeat(MAX_JWKS_BYTES));
    assert_eq!(Jwks::parse(&long).unwrap_err(), KeyError::NotJwks);
}

#[test]
fn a_sealed_key_opens_with_its_master_key_and_its_kid_alone() {
    let masters = MasterKeys::new(master(7), None);
    for algorithm in KeyAlgorithm::ALL {
        let private = PrivateKey::generate(algorithm).unwrap();
        let kid = private.signing_key().unwrap().id().to_owned();
        let sealed = masters.seal(&kid, &private).unwrap();
        let (opened, signing) = masters.open(&kid, &sealed).unwrap();
        assert_eq!((opened, signing.id()), (private.clone(), kid.as_str()));
        assert_ne!(sealed, masters.seal(&kid, &private).unwrap(), "the nonce is random");
        assert!(!sealed.windows(16).any(|window| window == &private.expose_pkcs8()[..16]), "nothing of it is readable");
        assert_eq!(masters.open("another", &sealed).unwrap_err(), SealError::Altered);
        let other = MasterKeys::new(master(8), None).open(&kid, &sealed).unwrap_err();
        assert_eq!(other, SealError::OtherMasterKey(master(7).id()));
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 0x40;
            assert!(masters.open(&kid, &altered).is_err(), "byte {index}");
            assert!(masters.open(&kid, &sealed[..index]).is_err(), "cut off at {index}");
        }
    }
}

#[test]
fn a_sealed_key_whose_kid_is_not_its_thumbprint_is_refused() {
    let masters = MasterKeys::new(master(7), None);
    let private = PrivateKey::generate(KeyAlgorithm::EdDsa).unwrap();
    let sealed = masters.seal("chosen", &private).unwrap();
    assert_eq!(masters.open("chosen", &sealed).unwrap_err(), SealError::Altered);
}

#[test]
fn a_new_master_key_opens_what_the_previous_one_sealed_and_seals_itself() {
    let private = PrivateKey::generate(KeyAlgorithm::EdDsa).unwrap();
    let kid = private.signing_key().unwrap().id().to_owned();
    let old = MasterKeys::new(master(7), None).seal(&kid, &private).unwrap();
    let changed = MasterKeys::new(master(8), Some(master(7)));
    assert!(!changed.is_current(&old));
    let (opened, _) = changed.open(&kid, &old).unwrap();
    let new = changed.seal(&kid, &opened).unwrap();
    assert!(changed.is_current(&new));
    assert!(MasterKeys::new(master(8), None).open(&kid, &new).is_ok());
}

#[test]
fn a_master_key_has_32_random_bytes_and_shows_none() {
    assert!(
        MasterKey::from_base64(&format!(
            " {}\n",
            STANDARD.encode([1_u8; 31].iter().chain(&[2]).copied().collect::<Vec<_>>())
        ))
        .is_ok()
    );
    assert_eq!(MasterKey::from_base64(&STANDARD.encode([7; 32])).unwrap_err(), MasterKeyError::NotRandom);
    for text in ["", "x", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33]), &"ab".repeat(32)] {
        assert_eq!(MasterKey::from_base64(text).unwrap_err(), MasterKeyError::Form, "{text}");
    }
    let shown = format!("{:?} {:?}", master(7), PrivateKey::from_pkcs8(vec![77; 3]));
    assert!(shown.contains("<redacted>") && !shown.contains("77"), "{shown}");
}

#[test]
fn a_replaced_ring_is_used_at_once_and_leaves_no_verified_token_behind() {
    let ring = |byte| JwtCodec::new(SigningKey::from_secret(&[byte; 32]).unwrap(), "issuer", "audience");
    let codec = RotatingCodec::new(ring(1));
    let old = codec.encode(&claims()).unwrap();
    assert!(codec.decode(old.expose_token()).is_ok() && codec.decode(old.expose_token()).is_ok());
    assert_eq!((codec.cache_stats().hits, codec.cache_stats().entries), (1, 1));
    codec.replace(ring(2));
    assert_eq!(codec.decode(old.expose_token()), Err(InvalidToken));
    assert_eq!((codec.cache_stats().hits, codec.cache_stats().entries), (1, 0), "counts go on, entries do not");
    let new = codec.encode(&claims()).unwrap();
    assert!(codec.decode(new.expose_token()).is_ok() && ring(2).decode(new.expose_token()).is_ok());
}
