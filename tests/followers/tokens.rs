//! Tokens of the vectors: good ones, and others that differ from a good one in one point.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_core::{Claims, ClientId, Generation, Grants, TokenCodec as _, TokenKind};
use auth_jwt::{JwtCodec, SigningKey, VerifyingKey};
use auth_tests::{Forge, respellings};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const AUDIENCE: &str = "api";

/// Wall time at which each scenario begins, in seconds since 1970.
pub(crate) const START: i64 = 1_800_000_000;

/// Expiry of most tokens, in seconds since 1970.
pub(crate) const EXPIRY: i64 = START + 900;

pub(crate) const ED25519: &[u8] = include_bytes!("../../crates/auth-jwt/tests/keys/ed.pem");
const ED25519_PUBLIC: &[u8] = include_bytes!("../../crates/auth-jwt/tests/keys/ed.pub");
pub(crate) const P256: &[u8] = include_bytes!("../../crates/auth-jwt/tests/keys/p256.pem");
pub(crate) const RSA: &[u8] = include_bytes!("../../crates/auth-jwt/tests/keys/rsa.pem");
/// Key that the server has after a rotation.
pub(crate) const NEXT: &[u8] = include_bytes!("keys/next.pem");

pub(crate) const ADA: Uuid = Uuid::from_u128(0x0192_ada0_0000_7000_8000_0000_0000_0001);
pub(crate) const BOB: Uuid = Uuid::from_u128(0x0192_b0b0_0000_7000_8000_0000_0000_0002);
const CLIENT: Uuid = Uuid::from_u128(0x0192_c11e_0000_7000_8000_0000_0000_0003);
pub(crate) const SESSION: Uuid = Uuid::from_u128(0x5e55_0000_0000_4000_8000_0000_0000_0004);
/// Id of the token `ed25519`.
pub(crate) const TOKEN: Uuid = Uuid::from_u128(0x70ce_0000_0000_4000_8000_0000_0000_0001);
/// Id of the only token of a session, and of the session.
pub(crate) const SINGLE: Uuid = Uuid::from_u128(0x70ce_0000_0000_4000_8000_0000_0000_0002);

/// Id of the token `until the next month`.
pub(crate) const MONTH: Uuid = Uuid::from_u128(0x70ce_0000_0000_4000_8000_0000_0000_000f);
/// Expiry of the tokens with `until the next month` in their name, in seconds since 1970.
pub(crate) const LATE_EXPIRY: i64 = EXPIRY + 30 * 86_400;

/// Name and text of each token.
pub(crate) type Tokens = BTreeMap<String, String>;

/// Returns whether the token with this name is one that a follower refuses as invalid, whatever the feed says.
pub(crate) fn is_invalid(name: &str) -> bool {
    name.starts_with("invalid ")
}

pub(crate) fn codec(pem: &[u8]) -> JwtCodec {
    JwtCodec::new(SigningKey::from_pem(pem).unwrap(), ISSUER, AUDIENCE)
}

fn claims(token_id: Uuid) -> Claims {
    let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    Claims {
        user_id: ADA.into(),
        token_id: token_id.into(),
        session_id: None,
        issued_at: at(START - 60),
        expires_at: at(EXPIRY),
        generation: Generation::new(3),
        admin: false,
        key_id: None,
        grants: None,
    }
}

/// Returns all tokens. `es256` is a token that was made before.
pub(crate) fn all(es256: Option<&str>) -> Tokens {
    let id = |number: u128| Uuid::from_u128(0x70ce_0000_0000_4000_8000_0000_0000_0000 | number);
    let ed = codec(ED25519);
    let sign = |claims: &Claims| ed.encode(claims).unwrap().expose_token().to_owned();
    let good = sign(&claims(TOKEN));
    let renewable = |number| sign(&Claims { session_id: Some(SESSION.into()), ..claims(id(number)) });
    let of_bob = |number, generation| Claims {
        user_id: BOB.into(),
        generation: Generation::new(generation),
        ..claims(id(number))
    };
    let granted = |kind, roles: &str, scopes: &str| {
        let roles = auth_core::Roles::of(roles.split(' ').filter_map(|role| role.parse().ok())).unwrap();
        Some(Arc::new(Grants { kind, roles, scopes: scopes.parse().unwrap(), extra: None }))
    };
    let client = Claims {
        user_id: CLIENT.into(),
        generation: Generation::new(0),
        grants: granted(TokenKind::Client, "", "reports:read"),
        ..claims(id(8))
    };
    let later = |id, life| {
        let claims = claims(id);
        Claims { expires_at: claims.expires_at + Duration::seconds(life), ..claims }
    };
    let month = |id| later(id, LATE_EXPIRY - EXPIRY);
    let mut tokens: Tokens = [
        ("ed25519", good.clone()),
        ("rs256", codec(RSA).encode(&claims(id(0xb))).unwrap().expose_token().to_owned()),
        ("es256", es256_token(es256, &claims(id(0xc)))),
        ("of the next key", codec(NEXT).encode(&claims(id(0xd))).unwrap().expose_token().to_owned()),
        ("of a single session", sign(&Claims { session_id: Some(SINGLE.into()), ..claims(SINGLE) })),
        ("of a session", renewable(3)),
        ("of the same session", renewable(4)),
        ("of bob, generation 2", sign(&of_bob(5, 2))),
        ("of bob, generation 3", sign(&of_bob(6, 3))),
        ("of an admin", sign(&Claims { admin: true, ..claims(id(7)) })),
        ("of a client", sign(&client)),
        ("with roles", sign(&Claims { grants: granted(TokenKind::Login, "auditor editor", "a b"), ..claims(id(9)) })),
        ("until the next hour", sign(&later(id(0xe), 3_600))),
        ("until the next month", sign(&month(MONTH))),
        ("of a session, until the next month", sign(&Claims { session_id: Some(SESSION.into()), ..month(id(0x10)) })),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into();
    let forge = Forge::from_token(&good);
    tokens.insert("with two audiences".to_owned(), signed(&forge.clone().claim("aud", json!(["else", AUDIENCE]))));
    tokens.insert("with members that nobody knows".to_owned(), signed(&forge.clone().claim("more", json!({}))));
    let invalid = [invalid(&good, &forge), other_es256_signatures(&tokens["es256"])].concat();
    tokens.extend(invalid.into_iter().map(|(name, text)| (format!("invalid {name}"), text)));
    tokens
}

fn es256_token(made_before: Option<&str>, claims: &Claims) -> String {
    let codec = codec(P256);
    let same = |token: &&str| codec.decode(token).is_ok_and(|read| Claims { key_id: None, ..read } == *claims);
    let kept = made_before.filter(same).map(str::to_owned);
    kept.unwrap_or_else(|| codec.encode(claims).unwrap().expose_token().to_owned())
}

/// Returns a token with its signature in two other forms: RFC 7518 §3.4 has exactly 64 bytes.
fn other_es256_signatures(token: &str) -> Vec<(String, String)> {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = signature.split_at(32);
    let number = |half: &[u8]| {
        let digits: Vec<_> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign: &[u8] = if digits[0] < 0x80 { &[] } else { &[0] };
        [&[2, u8::try_from(sign.len() + digits.len()).unwrap()][..], sign, digits.as_slice()].concat()
    };
    let numbers = [number(r), number(s)].concat();
    let der = [&[0x30, u8::try_from(numbers.len()).unwrap()][..], numbers.as_slice()].concat();
    [("a zero before the second half", [r, &[0], s].concat()), ("DER", der)]
        .map(|(form, bytes)| {
            (format!("signature: ES256, {form}"), format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes)))
        })
        .into()
}

/// Signs what the forge holds with the Ed25519 key, whatever the header says.
fn signed(forge: &Forge) -> String {
    signed_with(ED25519, forge)
}

fn signed_with(pem: &[u8], forge: &Forge) -> String {
    let message = forge.unsigned();
    let key = EncodingKey::from_ed_pem(pem).unwrap();
    format!("{message}.{}", jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap())
}

fn invalid(good: &str, forge: &Forge) -> Vec<(String, String)> {
    let header = |name: &str, value: Value| signed(&forge.clone().header(name, value));
    let claim = |name: &str, value: Value| signed(&forge.clone().claim(name, value));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let unsigned = forge.clone().header("alg", "none").unsigned();
    let hmac = forge.clone().header("alg", "HS256");
    let of_nobody = |alg: &str| forge.clone().header("alg", alg).header("kid", "nobody");
    let public = VerifyingKey::from_pem(ED25519_PUBLIC).unwrap();
    let p256 = codec(P256);
    let other_kid = p256.encode(&claims(TOKEN)).unwrap();
    let other_header = Forge::from_token(other_kid.expose_token()).header;
    let many: Vec<_> = (0..33).map(|number| format!("role-{number}")).collect();
    let mut all = vec![
        ("text: empty", String::new()),
        ("text: no token", "no token".to_owned()),
        ("text: two parts", message.to_owned()),
        ("text: four parts", format!("{good}.{signature}")),
        ("text: a blank before", format!(" {good}")),
        ("text: a line break behind", format!("{good}\n")),
        ("text: longer than 4096 bytes", claim("ext", json!({ "long": "x".repeat(4096) }))),
        ("signature: none", format!("{message}.")),
        (
            "signature: of another message",
            format!("{message}.{}", header("more", json!(1)).rsplit_once('.').unwrap().1),
        ),
        ("signature: of another key", signed_with(NEXT, forge)),
        ("alg: none", format!("{unsigned}.")),
        ("alg: none, with a signature", format!("{unsigned}.{signature}")),
        ("alg: HS256 with the public key as the secret", hmac.sign(ED25519_PUBLIC)),
        ("alg: HS256 with the kid as the secret", hmac.sign(public.id().as_bytes())),
        // No fetch of the keys could make these good.
        ("alg: none, with an unknown kid", format!("{}.", of_nobody("none").unsigned())),
        ("alg: HS256 with an unknown kid", of_nobody("HS256").sign(ED25519_PUBLIC)),
        ("alg: of another key", header("alg", json!("ES256"))),
        ("alg: in another case", header("alg", json!("eddsa"))),
        ("alg: no text", header("alg", json!(1))),
        ("kid: absent", header("kid", Value::Null)),
        ("kid: of another key", signed(&Forge { header: other_header, claims: forge.claims.clone() })),
        ("typ: absent", header("typ", Value::Null)),
        ("typ: JWT", header("typ", json!("JWT"))),
        ("crit: an extension", header("crit", json!(["exp"]))),
        ("iss: another", claim("iss", json!("https://auth.example/"))),
        ("iss: absent", claim("iss", Value::Null)),
        ("aud: another", claim("aud", json!("else"))),
        ("aud: others", claim("aud", json!(["else", "apis"]))),
        ("aud: absent", claim("aud", Value::Null)),
        ("sub: no id", claim("sub", json!("ada"))),
        ("sub: digits after 0x", claim("sub", json!("0x92ada0000070008000000000000001"))),
        ("sub: digits and a line below", claim("sub", json!("0192ada000007000800000000000_001"))),
        ("jti: absent", claim("jti", Value::Null)),
        ("sid: no id", claim("sid", json!("x"))),
        ("iat: absent", claim("iat", Value::Null)),
        ("iat: a text", claim("iat", json!("1799999940"))),
        ("iat: a fraction", claim("iat", json!(1_799_999_940.5))),
        ("iat: in the year 10000", claim("iat", json!(253_402_300_800_i64))),
        ("exp: absent", claim("exp", Value::Null)),
        ("exp: a text", claim("exp", json!("1800000900"))),
        ("exp: a fraction", claim("exp", json!(1_800_000_900.5))),
        ("exp: negative", claim("exp", json!(-1))),
        ("exp: in the year 10000", claim("exp", json!(253_402_300_800_i64))),
        ("gen: absent", claim("gen", Value::Null)),
        ("gen: negative", claim("gen", json!(-1))),
        ("gen: beyond 32 bits", claim("gen", json!(1_u64 << 32))),
        ("admin: absent", claim("admin", Value::Null)),
        ("admin: a number", claim("admin", json!(1))),
        ("client_id: not the subject", claim("client_id", json!(ClientId::from(BOB).to_string()))),
        ("client_id: a UUID", claim("client_id", json!(ADA))),
        (
            "client_id: of an admin",
            signed(&forge.clone().claim("client_id", json!(ClientId::from(ADA).to_string())).claim("admin", true)),
        ),
        ("roles: a text", claim("roles", json!("auditor"))),
        ("roles: a bad name", claim("roles", json!(["Auditor"]))),
        ("roles: too many", claim("roles", json!(many))),
        ("scope: a list", claim("scope", json!(["a"]))),
        ("scope: a bad name", claim("scope", json!("a \"b\""))),
        ("claims: a list", signed(&Forge { claims: json!([]), ..forge.clone() })),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text))
    .collect::<Vec<_>>();
    for (number, respelt) in respellings(good).into_iter().enumerate() {
        all.push((format!("text: spelt differently, {number}"), respelt));
    }
    all
}
