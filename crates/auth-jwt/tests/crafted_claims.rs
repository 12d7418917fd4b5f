//! Claims and headers that no server of ours writes, under a valid signature. They could come from a leaked key,
//! another program with the same key, or a bug. Each is refused, or read in exactly one way.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use auth_core::{Claims, InvalidToken, TokenCodec};
use auth_jwt::{JwtCodec, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use time::OffsetDateTime;

const SECRET: [u8; 32] = [7; 32];

const EXPIRY: i64 = 1_800_003_600;

fn codec() -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(&SECRET).unwrap(), "issuer", "audience")
}

fn header() -> String {
    let key = SigningKey::from_secret(&SECRET).unwrap();
    format!(r#""typ":"at+jwt","alg":"HS256","kid":"{}""#, key.id())
}

/// Returns the members of good claims, without one.
fn claims_without(absent: &str) -> String {
    let all = [
        ("iss", r#""issuer""#),
        ("aud", r#""audience""#),
        ("sub", r#""00000000-0000-0000-0000-000000000001""#),
        ("jti", r#""00000000-0000-0000-0000-000000000002""#),
        ("iat", "1800000000"),
        ("exp", "1800003600"),
        ("gen", "0"),
        ("admin", "false"),
    ];
    let members = all.iter().filter(|(name, _)| *name != absent);
    members.map(|(name, value)| format!(r#""{name}":{value}"#)).collect::<Vec<_>>().join(",")
}

/// Decodes a signed token with these members, unchanged.
fn decode(header: &str, claims: &str) -> Result<Claims, InvalidToken> {
    let part = |members: &str| URL_SAFE_NO_PAD.encode(format!("{{{members}}}"));
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(&SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    codec().decode(&format!("{message}.{signature}"))
}

fn with(name: &str, value: &str) -> Result<Claims, InvalidToken> {
    decode(&header(), &format!(r#"{},"{name}":{value}"#, claims_without(name)))
}

#[test]
fn the_unchanged_claims_and_header_are_accepted() {
    let claims = decode(&header(), &claims_without("")).unwrap();
    assert_eq!(claims.expires_at, OffsetDateTime::from_unix_timestamp(EXPIRY).unwrap());
    assert_eq!(with("exp", "1800003600"), Ok(claims));
}

#[test]
fn a_time_that_is_no_whole_number_of_seconds_in_range_is_refused() {
    for value in [
        "1800003600.0",
        "1800003600.5",
        "1.8000036e9",
        "18e8",
        "\"1800003600\"",
        "\"\"",
        "-1",
        "-0.0",
        "-1800003600",
        "253370764801",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1e300",
        "-9223372036854775809",
        "null",
        "true",
        "[1800003600]",
        "{\"$numberLong\":\"1800003600\"}",
        // These are not JSON.
        "+1800003600",
        "01800003600",
        "0x6b49d210",
        "NaN",
        "Infinity",
        "1e999",
    ] {
        assert_eq!(with("exp", value), Err(InvalidToken), "exp {value}");
        let in_range_for_iat = value.starts_with("-1") || value.starts_with("2533");
        assert!(in_range_for_iat || with("iat", value).is_err(), "iat {value}");
    }
    assert_eq!(with("exp", "0").unwrap().expires_at, OffsetDateTime::UNIX_EPOCH, "long expired, and says so");
    assert_eq!(with("exp", "253370764800").unwrap().expires_at.year(), 9999);
}

#[test]
fn a_repeated_member_is_refused_whichever_would_win() {
    for (name, one, other) in [
        ("exp", "1", "1800003600"),
        ("exp", "1800003600", "1800003600"),
        ("admin", "false", "true"),
        ("admin", "true", "false"),
        ("sub", r#""00000000-0000-0000-0000-000000000001""#, r#""00000000-0000-0000-0000-000000000003""#),
        ("jti", r#""00000000-0000-0000-0000-000000000002""#, r#""00000000-0000-0000-0000-000000000003""#),
        ("gen", "0", "1"),
        ("iss", r#""issuer""#, r#""issuer""#),
        ("aud", r#""audience""#, r#"["audience"]"#),
    ] {
        let escaped = format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
        for again in [name, &escaped] {
            let claims = format!(r#"{},"{name}":{one},"{again}":{other}"#, claims_without(name));
            assert_eq!(decode(&header(), &claims), Err(InvalidToken), "{claims}");
        }
        assert!(decode(&header(), &format!(r#"{},"{escaped}":{one}"#, claims_without(name))).is_ok(), "{name} alone");
    }
    for again in [r#""alg":"none""#, r#""alg":"HS256""#, r#""kid":"other""#, r#""typ":"JWT""#, r#""\u0061lg":"none""#] {
        for header in [format!("{},{again}", header()), format!("{again},{}", header())] {
            assert_eq!(decode(&header, &claims_without("")), Err(InvalidToken), "{header}");
        }
    }
}

#[test]
fn a_critical_extension_of_any_kind_is_refused() {
    for crit in [r#"["exp"]"#, r#"["b64"]"#, "[]", "null", "false", r#""exp""#, r#"["x"],"x":true"#] {
        let header = format!(r#"{},"crit":{crit}"#, header());
        assert_eq!(decode(&header, &claims_without("")), Err(InvalidToken), "crit {crit}");
    }
}

#[test]
fn a_list_of_audiences_is_good_with_ours_in_it_and_nothing_but_texts() {
    for good in [r#"["audience"]"#, r#"["other","audience"]"#, r#"["audience","audience"]"#, r#""\u0061udience""#] {
        assert!(with("aud", good).is_ok(), "aud {good}");
    }
    for wrong in [
        "[]",
        "null",
        r#"["other"]"#,
        r#"["Audience"]"#,
        r#"["audience "]"#,
        r#"[["audience"]]"#,
        r#"["audience",1]"#,
        r#"["audience",null]"#,
        r#"{"0":"audience"}"#,
        r#""audience other""#,
        r#""other,audience""#,
        "1",
    ] {
        assert_eq!(with("aud", wrong), Err(InvalidToken), "aud {wrong}");
    }
    for wrong in [r#"["issuer"]"#, "null", r#""issuer/""#, r#""Issuer""#] {
        assert_eq!(with("iss", wrong), Err(InvalidToken), "iss {wrong}");
    }
}

#[test]
fn rights_and_ids_are_of_their_own_types() {
    for (name, wrong) in [
        ("admin", "1"),
        ("admin", "\"true\""),
        ("admin", "null"),
        ("admin", "[true]"),
        ("gen", "-1"),
        ("gen", "0.0"),
        ("gen", "4294967296"),
        ("gen", "\"0\""),
        ("sub", "1"),
        ("sub", "\"00000000-0000-0000-0000-00000000000\""),
        ("sub", "[\"00000000-0000-0000-0000-000000000001\"]"),
        ("jti", "\"\""),
        ("jti", "null"),
    ] {
        assert_eq!(with(name, wrong), Err(InvalidToken), "{name} {wrong}");
    }
}
