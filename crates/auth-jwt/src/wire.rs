//! A token's parts as they are written: JSON in unpadded, strict base64url (RFC 7515 §2).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use auth_core::{Claims, Generation, InvalidToken, SessionId};

/// The `typ` of our tokens (RFC 8725 §3.11; the value is that of RFC 9068 §2.1): a token made for another purpose with
/// the same key is not accepted as an access token.
pub const TOKEN_TYPE: &str = "at+jwt";

/// 9999-01-01T00:00:00Z in Unix seconds. The last year is left free, so that adding the leeway to an expiry cannot
/// overflow.
const LAST_EXPIRY: i64 = 253_370_764_800;

/// A part of a token; `None` if it cannot be written as JSON.
pub(super) fn encode(part: &impl Serialize) -> Option<String> {
    serde_json::to_vec(part).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Decodes and parses a part of a token, once, and makes something of it.
pub(super) fn decode<P: Part, T>(
    part: &str,
    read: impl FnOnce(P::Read<'_>) -> Result<T, InvalidToken>,
) -> Result<T, InvalidToken> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken)?;
    read(serde_json::from_slice(&json).map_err(|_| InvalidToken)?)
}

/// What a part is read into; it borrows from the decoded JSON.
pub(super) trait Part {
    type Read<'a>: Deserialize<'a>;
}

/// What is looked at of a header (RFC 7515 §4.1). Whatever else it says is not believed.
#[derive(Deserialize)]
pub(super) struct UnverifiedHeader<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
    /// Whether it names extensions that must be understood: we understand none.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// True for a member that is there, whatever its value: `null` is one.
fn is_there<'de, D: Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|_| true)
}

impl Part for UnverifiedHeader<'_> {
    type Read<'a> = UnverifiedHeader<'a>;
}

impl UnverifiedHeader<'_> {
    /// Whether it names this key, for this algorithm, and an access token.
    pub(super) fn is_of(&self, key_id: &str, algorithm: &str) -> bool {
        self.kid == key_id && self.alg == algorithm && self.typ == TOKEN_TYPE && !self.crit
    }
}

/// The claims. Names are those of RFC 7519 §4.1; `gen` and `admin` are ours.
#[derive(Serialize, Deserialize)]
pub(super) struct WireClaims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Audience<'a>,
    sub: Uuid,
    jti: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    iat: i64,
    exp: i64,
    #[serde(rename = "gen")]
    generation: u32,
    admin: bool,
}

/// One audience, or a list with one of ours in it (RFC 7519 §4.1.3).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    #[serde(borrow)]
    One(Cow<'a, str>),
    Many(Vec<String>),
}

impl Part for WireClaims<'_> {
    type Read<'a> = WireClaims<'a>;
}

impl<'a> WireClaims<'a> {
    /// What a token for this audience says.
    pub(super) fn new(claims: &Claims, issuer: &'a str, audience: &'a str) -> Self {
        Self {
            iss: issuer.into(),
            aud: Audience::One(audience.into()),
            sub: claims.user_id.as_uuid(),
            jti: claims.token_id.as_uuid(),
            sid: claims.session_id.map(SessionId::as_uuid),
            iat: claims.issued_at.unix_timestamp(),
            exp: claims.expires_at.unix_timestamp(),
            generation: claims.generation.number(),
            admin: claims.admin,
        }
    }

    /// The claims, if they are from this issuer for this audience.
    pub(super) fn read(self, issuer: &str, audience: &str) -> Result<Claims, InvalidToken> {
        let addressed = match &self.aud {
            Audience::One(one) => one == audience,
            Audience::Many(many) => many.iter().any(|one| one == audience),
        };
        if self.iss != issuer || !addressed || !(0..=LAST_EXPIRY).contains(&self.exp) {
            return Err(InvalidToken);
        }
        let instant = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| InvalidToken);
        Ok(Claims {
            user_id: self.sub.into(),
            token_id: self.jti.into(),
            session_id: self.sid.map(SessionId::from),
            issued_at: instant(self.iat)?,
            expires_at: instant(self.exp)?,
            generation: Generation::new(self.generation),
            admin: self.admin,
        })
    }
}
