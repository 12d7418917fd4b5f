//! The public API of the token codec: accepted tokens, and every kind of token that must be refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use auth_core::{Claims, Generation, InvalidToken, KeyId, TokenCodec, TokenId, UserId};
use auth_jwt::{JwtCodec, SigningKey, VerifyingKey};
use auth_jwt::{KeyError, KeyForm};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

mod keys;

const SECRET: [u8; 32] = [7; 32];
const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn codec() -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(&SECRET).unwrap(), "issuer", "audience")
}

/// Id of the key of [`codec`], which it sets in the claims that it reads.
fn key_id() -> KeyId {
    KeyId::of_kid(SigningKey::from_secret(&SECRET).unwrap().id())
}

fn claims() -> Claims {
    let issued_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Claims {
        user_id: UserId::generate(issued_at).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at,
        expires_at: issued_at + Duration::from_secs(3600),
        generation: Generation::new(3),
        admin: true,
        key_id: Some(key_id()),
        grants: None,
    }
}

/// Returns a token of ours with one change, signed with our own secret.
fn forged(change: impl FnOnce(&mut Header, &mut Value)) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(SigningKey::from_secret(&SECRET).unwrap().id().to_owned());
    let mut payload = json!({
        "iss": "issuer", "aud": "audience", "sub": Uuid::from_u128(1), "jti": Uuid::from_u128(2),
        "iat": 1_800_000_000, "exp": 1_800_003_600, "gen": 0, "admin": false,
    });
    change(&mut header, &mut payload);
    jsonwebtoken::encode(&header, &payload, &EncodingKey::from_secret(&SECRET)).unwrap()
}

#[test]
fn every_algorithm_round_trips_and_signs_a_token_of_its_own() {
    for pem in [keys::ED25519, keys::P256, keys::RSA_2048] {
        let signing = SigningKey::from_pem(pem.private.as_bytes()).unwrap();
        let verifying = VerifyingKey::from_pem(pem.public.as_bytes()).unwrap();
        assert_eq!((signing.id(), signing.algorithm()), (verifying.id(), verifying.algorithm()));
        let claims = Claims { key_id: Some(KeyId::of_kid(signing.id())), ..claims() };
        let codec = JwtCodec::new(signing, "issuer", "audience");
        let token = codec.encode(&claims).unwrap();
        assert_eq!(codec.decode(token.expose_token()), Ok(claims.clone()));
        let verifier = JwtCodec::verify_only("issuer", "audience").with_verifying_key(verifying);
        assert_eq!(verifier.decode(token.expose_token()), Ok(claims.clone()));
        assert!(verifier.encode(&claims).is_err(), "a verifier cannot sign");
        assert_eq!(self::codec().decode(token.expose_token()), Err(InvalidToken), "the kid is unknown there");
    }
}

#[test]
fn an_unchanged_forgery_is_good_so_that_the_changed_ones_prove_something() {
    assert!(codec().decode(&forged(|_, _| {})).is_ok());
}

#[test]
fn every_wrong_header_or_claim_is_refused() {
    let wrong: Vec<(&str, String)> = vec![
        ("no typ", forged(|header, _| header.typ = None)),
        ("typ JWT", forged(|header, _| header.typ = Some("JWT".to_owned()))),
        ("no kid", forged(|header, _| header.kid = None)),
        ("unknown kid", forged(|header, _| header.kid = Some("other".to_owned()))),
        ("critical extension", forged(|header, _| header.crit = Some(vec!["exp".to_owned()]))),
        ("HS512", forged(|header, _| header.alg = Algorithm::HS512)),
        ("another issuer", forged(|_, claims| claims["iss"] = json!("evil"))),
        ("no issuer", forged(|_, claims| drop(claims.as_object_mut().unwrap().remove("iss")))),
        ("another audience", forged(|_, claims| claims["aud"] = json!("evil"))),
        ("no audience", forged(|_, claims| drop(claims.as_object_mut().unwrap().remove("aud")))),
        ("no expiry", forged(|_, claims| drop(claims.as_object_mut().unwrap().remove("exp")))),
        ("expiry as text", forged(|_, claims| claims["exp"] = json!("1800003600"))),
        ("expiry out of range", forged(|_, claims| claims["exp"] = json!(i64::MAX))),
        ("expiry fractional", forged(|_, claims| claims["exp"] = json!(1_800_003_600.5))),
        ("no jti", forged(|_, claims| drop(claims.as_object_mut().unwrap().remove("jti")))),
        ("jti no UUID", forged(|_, claims| claims["jti"] = json!("x"))),
        ("sub no UUID", forged(|_, claims| claims["sub"] = json!(1))),
        ("no generation", forged(|_, claims| drop(claims.as_object_mut().unwrap().remove("gen")))),
        ("negative generation", forged(|_, claims| claims["gen"] = json!(-1))),
        ("admin as text", forged(|_, claims| claims["admin"] = json!("true"))),
    ];
    for (what, token) in wrong {
        assert_eq!(codec().decode(&token), Err(InvalidToken), "{what} was accepted");
    }
}

#[test]
fn alg_none_and_a_public_key_as_secret_are_refused() {
    let unsigned = |alg: &str, kid: &str| {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid}).to_string();
        let token = forged(|_, _| {});
        let payload = token.split('.').nth(1).unwrap();
        format!("{}.{payload}.", base64(header.as_bytes()))
    };
    let kid = SigningKey::from_secret(&SECRET).unwrap().id().to_owned();
    for alg in ["none", "None", "NONE", ""] {
        assert_eq!(codec().decode(&unsigned(alg, &kid)), Err(InvalidToken), "alg {alg:?}");
    }
    let public = VerifyingKey::from_pem(keys::RSA_2048.public.as_bytes()).unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(public.id().to_owned());
    let key = EncodingKey::from_secret(keys::RSA_2048.public.as_bytes());
    let token = jsonwebtoken::encode(&header, &json!({"iss": "issuer", "aud": "audience"}), &key).unwrap();
    let verifier = JwtCodec::verify_only("issuer", "audience").with_verifying_key(public);
    assert_eq!(verifier.decode(&token), Err(InvalidToken));
    assert_eq!(
        SigningKey::from_secret(keys::RSA_2048.public.as_bytes()).unwrap_err(),
        KeyError::SecretIsKey(KeyForm::Pem)
    );
}

#[test]
fn every_other_spelling_of_a_token_is_refused() {
    let token = codec().encode(&claims()).unwrap().expose_token().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    let mut spellings = vec![
        format!("{token}="),
        format!("{token}=="),
        format!("{token}."),
        format!(" {token}"),
        format!("{token}\n"),
        token.replace('-', "+").replace('_', "/") + "/",
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
    ];
    for part in 0..3 {
        for last in URL_SAFE.chars() {
            let mut changed: Vec<String> = parts.iter().map(ToString::to_string).collect();
            changed[part].pop();
            changed[part].push(last);
            spellings.push(changed.join("."));
        }
    }
    let caching = codec();
    assert!(caching.decode(&token).is_ok());
    for spelling in spellings.into_iter().filter(|spelling| *spelling != token) {
        assert_eq!(codec().decode(&spelling), Err(InvalidToken), "accepted {spelling:?}");
        assert_eq!(caching.decode(&spelling), Err(InvalidToken), "{spelling:?} hit the cache");
    }
}

#[test]
fn equivalent_headers_and_claims_are_accepted() {
    let part = |json: &str| base64(json.as_bytes());
    let id = SigningKey::from_secret(&SECRET).unwrap().id().to_owned();
    let payload = part(
        r#"{"aud":["other","audience"],"iss":"issuer","jti":"00000000000000000000000000000002","admin":false,
            "sub":"00000000-0000-0000-0000-000000000001","iat":1800000000,"exp":1800003600,"gen":0,"other":[1]}"#,
    );
    let signed = |header: &str| {
        let message = format!("{}.{payload}", part(header));
        let key = EncodingKey::from_secret(&SECRET);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    };
    let reordered = format!(r#"{{"kid":"{id}", "alg":"HS256", "typ":"at+jwt", "cty":"x"}}"#);
    assert_eq!(codec().decode(&signed(&reordered)).unwrap().token_id, Uuid::from_u128(2).into());
    for wrong in [
        reordered.replace("HS256", "hs256"),
        reordered.replace("HS256", "RS256"),
        reordered.replace("at+jwt", "AT+JWT"),
        reordered.replace("cty", "crit"),
        reordered.replace("\"cty\":", "\"alg\":"),
        reordered.replace(&id, "x"),
    ] {
        assert_eq!(codec().decode(&signed(&wrong)), Err(InvalidToken), "accepted {wrong}");
    }
}

#[test]
fn a_cache_miss_verifies_a_token_and_later_uses_hit() {
    let codec = codec().with_cached_tokens(8);
    let (claims, other) = (claims(), claims());
    let token = codec.encode(&claims).unwrap();
    assert_eq!(codec.cache_stats().entries, 0, "signing adds nothing to the cache");
    assert!(codec.decode(&forged(|_, claims| claims["iss"] = json!("evil"))).is_err());
    for _ in 0..3 {
        assert_eq!(codec.decode(token.expose_token()), Ok(claims.clone()));
    }
    assert_eq!(codec.decode(codec.encode(&other).unwrap().expose_token()), Ok(other));
    let stats = codec.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (2, 3, 2));
    let shown = format!("{codec:?}");
    assert!(!shown.contains(token.expose_token()), "{shown}");

    let without = self::codec().with_cached_tokens(0);
    assert_eq!((without.decode(token.expose_token()), without.cache_stats().entries), (Ok(claims), 0));
}

#[test]
fn keys_that_are_too_weak_or_of_another_kind_are_refused() {
    assert_eq!(SigningKey::from_secret(&[1; 31]).unwrap_err(), KeyError::SecretTooShort);
    assert_eq!(VerifyingKey::from_pem(keys::RSA_1024.public.as_bytes()).unwrap_err(), KeyError::RsaTooSmall);
    for text in ["", "no pem", keys::RSA_1024.private, keys::P384.private] {
        assert!(matches!(SigningKey::from_pem(text.as_bytes()), Err(KeyError::UnsupportedPem("private"))), "{text}");
    }
    for text in ["", "no pem", keys::P384.public] {
        assert!(matches!(VerifyingKey::from_pem(text.as_bytes()), Err(KeyError::UnsupportedPem("public"))), "{text}");
    }
}

#[test]
fn debug_of_keys_and_codec_shows_no_secret() {
    let secret = b"SECRETSECRETSECRETSECRETSECRETSECRET";
    let signing = SigningKey::from_secret(secret).unwrap();
    let shown = format!("{signing:?} {:?}", JwtCodec::new(signing.clone(), "issuer", "audience"));
    assert!(!shown.contains("SECRET") && !shown.contains("83, 69, 67"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC{0,200}|[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}") {
        prop_assert_eq!(codec().decode(&text), Err(InvalidToken));
    }

    #[test]
    fn claims_round_trip(user in any::<u128>(), token in any::<u128>(), iat in 0_i64..200_000_000_000,
                         life in 1_i64..7_776_000, generation in any::<u32>(), admin in any::<bool>()) {
        let claims = Claims {
            user_id: Uuid::from_u128(user).into(),
            token_id: Uuid::from_u128(token).into(),
            session_id: None,
            issued_at: OffsetDateTime::from_unix_timestamp(iat).unwrap(),
            expires_at: OffsetDateTime::from_unix_timestamp(iat + life).unwrap(),
            generation: Generation::new(generation),
            admin,
            key_id: Some(key_id()),
            grants: None,
        };
        let token = codec().encode(&claims).unwrap();
        prop_assert_eq!(codec().decode(token.expose_token()), Ok(claims.clone()));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(position in any::<prop::sample::Index>(), bit in 0_u8..7) {
        let mut bytes = codec().encode(&claims()).unwrap().expose_token().as_bytes().to_vec();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert_eq!(codec().decode(&text), Err(InvalidToken));
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_key_of_the_set_verifies_a_token_by_its_kid_in_every_algorithm() {
    for (pem, members) in [(keys::ED25519, "alg crv kid kty use x"), (keys::P256, "alg crv kid kty use x y")]
        .into_iter()
        .chain([(keys::RSA_2048, "alg e kid kty n use")])
    {
        let codec = JwtCodec::new(SigningKey::from_pem(pem.private.as_bytes()).unwrap(), "issuer", "audience");
        let jwks = codec.jwks();
        let document: Value = serde_json::from_str(jwks.as_json()).unwrap();
        let mut names: Vec<_> = document["keys"][0].as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(names.join(" "), members, "public members and no other");
        assert_eq!(document["keys"][0]["use"], "sig");

        let token = codec.encode(&claims()).unwrap();
        let header = decode_header(token.expose_token()).unwrap();
        let set: JwkSet = serde_json::from_str(jwks.as_json()).unwrap();
        let key = set.find(header.kid.as_deref().unwrap()).unwrap();
        assert_eq!(key.common.key_algorithm.unwrap().to_string(), format!("{:?}", header.alg));
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&["audience"]);
        validation.validate_exp = false;
        let decoding = DecodingKey::from_jwk(key).unwrap();
        assert!(decode::<Value>(token.expose_token(), &decoding, &validation).is_ok());
    }
}

#[test]
fn a_secret_is_in_no_key_set() {
    let secret = |byte| SigningKey::from_secret(&[byte; 32]).unwrap();
    assert_eq!(JwtCodec::new(secret(7), "issuer", "audience").jwks().as_json(), r#"{"keys":[]}"#);
    let old = VerifyingKey::from_secret(&[8; 32]).unwrap();
    let signing = SigningKey::from_pem(keys::ED25519.private.as_bytes()).unwrap();
    let id = signing.id().to_owned();
    let jwks = JwtCodec::new(signing, "issuer", "audience").with_verifying_key(old).jwks();
    let set: JwkSet = serde_json::from_str(jwks.as_json()).unwrap();
    let ids: Vec<_> = set.keys.iter().map(|key| key.common.key_id.clone().unwrap()).collect();
    assert_eq!(ids, [id]);
}

#[test]
fn another_set_has_another_entity_tag() {
    let signing = |pem: keys::KeyPair| SigningKey::from_pem(pem.private.as_bytes()).unwrap();
    let one = JwtCodec::new(signing(keys::ED25519), "issuer", "audience");
    let before = one.jwks();
    let both = one.with_verifying_key(VerifyingKey::from_pem(keys::P256.public.as_bytes()).unwrap());
    assert_ne!(before.entity_tag(), both.jwks().entity_tag());
    assert_eq!(before, JwtCodec::new(signing(keys::ED25519), "another issuer", "audience").jwks());
}
