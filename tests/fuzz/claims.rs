//! The claims in a token whose signature is right.

use auth_core::TokenCodec;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::mutation::{corpus, fuzz};
use crate::token::{AUDIENCE, ISSUER, SECRET, codec};

#[test]
fn claims_that_are_accepted_are_the_ones_that_were_signed() {
    let codec = codec();
    let key = EncodingKey::from_secret(SECRET);
    let header = BASE64.encode(header_of_ours());
    let decode = |payload: &[u8]| {
        let message = format!("{header}.{}", BASE64.encode(payload));
        let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        codec.decode(&format!("{message}.{signature}"))
    };
    assert!(corpus("claims").iter().any(|payload| decode(payload).is_ok()), "the corpus has claims that are accepted");
    let words = [
        "\"iss\":",
        "\"aud\":",
        "\"sub\":",
        "\"jti\":",
        "\"sid\":",
        "\"exp\":",
        "\"iat\":",
        "\"gen\":",
        "\"admin\":",
        "null",
        "true",
        "-1",
        "1e3",
        "9223372036854775807",
        "4294967296",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "\\u0000",
        "\\",
        " ",
    ];
    fuzz("claims", &words, |payload| {
        let Ok(claims) = decode(payload) else { return Ok(()) };
        let read: Value =
            serde_json::from_slice(payload).map_err(|_| TestCaseError::fail("accepted what is no JSON"))?;
        prop_assert_eq!(&read["iss"], ISSUER);
        let addressed = read["aud"].as_array().map_or(read["aud"] == AUDIENCE, |list| list.contains(&json!(AUDIENCE)));
        prop_assert!(addressed, "for another audience");
        let id = |name: &str| read[name].as_str().map(|text| text.to_ascii_lowercase().replace('-', ""));
        prop_assert_eq!(id("sub"), Some(claims.user_id.as_uuid().simple().to_string()));
        prop_assert_eq!(id("jti"), Some(claims.token_id.as_uuid().simple().to_string()));
        prop_assert_eq!(id("sid"), claims.session_id.map(|id| id.as_uuid().simple().to_string()));
        prop_assert_eq!(read["iat"].as_i64(), Some(claims.issued_at.unix_timestamp()));
        prop_assert_eq!(read["exp"].as_i64(), Some(claims.expires_at.unix_timestamp()));
        prop_assert_eq!(read["gen"].as_u64(), Some(claims.generation.number().into()));
        prop_assert_eq!(read["admin"].as_bool(), Some(claims.admin));
        let again = codec.encode(&claims).unwrap();
        prop_assert_eq!(codec.decode(again.expose_token()).unwrap(), claims);
        Ok(())
    });
}

/// The header of a token that the codec signed.
fn header_of_ours() -> Vec<u8> {
    let token = corpus("token").remove(0);
    let header = token.split(|byte| *byte == b'.').next().unwrap().to_owned();
    BASE64.decode(header).unwrap()
}
