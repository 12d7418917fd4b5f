//! Wire format of the parts of a token: JSON in unpadded, strict base64url (RFC 7515 §2).

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use auth_core::{
    Claims, ClientId, ExtraClaims, Generation, Grants, InvalidToken, KeyAlgorithm, KeyId, Role, Roles, SessionId,
    TokenKind,
};

/// The `typ` of our tokens (RFC 8725 §3.11; the value is that of RFC 9068 §2.1). A token made for another purpose with
/// the same key is not accepted as an access token.
pub const TOKEN_TYPE: &str = "at+jwt";

/// Latest expiry that is accepted, in Unix seconds: 9999-01-01T00:00:00Z. The last year is left free, so that adding
/// the leeway to an expiry cannot overflow.
const LAST_EXPIRY: i64 = 253_370_764_800;

/// Encodes a part of a token. Returns `None` if it cannot be written as JSON.
pub(super) fn encode(part: &impl Serialize) -> Option<String> {
    serde_json::to_vec(part).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Decodes and parses a part of a token once, and passes it to `read`. All of it must be UTF-8 (RFC 7519 §7.2), also the members
/// that are ignored.
pub(super) fn decode<P: Part, T>(
    part: &str,
    read: impl FnOnce(P::Read<'_>) -> Result<T, InvalidToken>,
) -> Result<T, InvalidToken> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken)?;
    let json = str::from_utf8(&json).map_err(|_| InvalidToken)?;
    read(serde_json::from_str(json).map_err(|_| InvalidToken)?)
}

/// Part of a token. It borrows from the decoded JSON.
pub(super) trait Part {
    type Read<'a>: Deserialize<'a>;
}

/// Members of a header that are read (RFC 7515 §4.1). All other members are ignored.
#[derive(Deserialize)]
pub(super) struct UnverifiedHeader<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
    /// Whether the header names extensions that must be understood. We understand none.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// Returns true for a member that is present, whatever its value. `null` is a value.
fn is_there<'de, D: Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|_| true)
}

impl Part for UnverifiedHeader<'_> {
    type Read<'a> = UnverifiedHeader<'a>;
}

impl UnverifiedHeader<'_> {
    /// Returns the `kid`, if the header is one of an access token that a key pair signed.
    pub(super) fn kid_of_key_pair(&self) -> Option<&str> {
        let of_key_pair = KeyAlgorithm::ALL.iter().any(|algorithm| algorithm.as_str() == self.alg);
        (of_key_pair && self.typ == TOKEN_TYPE && !self.crit).then_some(&*self.kid)
    }

    /// Returns whether the header names this key, this algorithm and an access token.
    pub(super) fn is_of(&self, key_id: &str, algorithm: &str) -> bool {
        self.kid == key_id && self.alg == algorithm && self.typ == TOKEN_TYPE && !self.crit
    }
}

/// Claims on the wire. Names are those of RFC 7519 §4.1 and RFC 9068 §2.2; `gen`, `admin` and `ext` are ours.
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
    /// Client that the token belongs to, which is its subject too (RFC 9068 §2.2). Absent in a token of a user.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Claims of the application.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    ext: Option<&'a RawValue>,
}

/// Audience of a token: one name, or a list (RFC 7519 §4.1.3).
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
    /// Returns the wire form of `claims` for this audience.
    pub(super) fn new(claims: &'a Claims, issuer: &'a str, audience: &'a str) -> Self {
        let grants = claims.grants.as_deref();
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
            client_id: claims.client_id().map(|id| id.to_string().into()),
            roles: grants.filter(|grants| !grants.roles.is_empty()).map(|grants| roles(&grants.roles)),
            scope: grants.filter(|grants| !grants.scopes.is_empty()).map(|grants| grants.scopes.to_string()),
            ext: grants
                .and_then(|grants| grants.extra.as_ref())
                .and_then(|extra| serde_json::from_str(extra.as_json()).ok()),
        }
    }

    /// Returns the claims, if they are from this issuer for this audience.
    pub(super) fn read(self, issuer: &str, audience: &str, key_id: KeyId) -> Result<Claims, InvalidToken> {
        let addressed = match &self.aud {
            Audience::One(one) => one == audience,
            Audience::Many(many) => many.iter().any(|one| one == audience),
        };
        if self.iss != issuer || !addressed || !(0..=LAST_EXPIRY).contains(&self.exp) {
            return Err(InvalidToken);
        }
        let instant = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| InvalidToken);
        let grants = self.grants()?;
        Ok(Claims {
            user_id: self.sub.into(),
            token_id: self.jti.into(),
            session_id: self.sid.map(SessionId::from),
            issued_at: instant(self.iat)?,
            expires_at: instant(self.exp)?,
            generation: Generation::new(self.generation),
            admin: self.admin,
            key_id: Some(key_id),
            grants,
        })
    }

    /// Returns what the token allows, or `None` for a login that allows nothing in particular.
    fn grants(&self) -> Result<Option<Arc<Grants>>, InvalidToken> {
        let is_subject = |id: &str| id.parse::<ClientId>().is_ok_and(|id| id.as_uuid() == self.sub);
        let kind = match &self.client_id {
            None => TokenKind::Login,
            Some(id) if is_subject(id) && !self.admin => TokenKind::Client,
            Some(_) => return Err(InvalidToken),
        };
        let roles = self.roles.iter().flatten().map(|name| name.parse::<Role>()).collect::<Result<Vec<_>, _>>();
        let grants = Grants {
            kind,
            roles: Roles::of(roles.map_err(|_| InvalidToken)?).map_err(|_| InvalidToken)?,
            scopes: self.scope.as_deref().unwrap_or_default().parse().map_err(|_| InvalidToken)?,
            extra: self.ext.map(|ext| ExtraClaims::from_json(ext.get())).transpose().map_err(|_| InvalidToken)?,
        };
        Ok((!grants.is_empty()).then(|| Arc::new(grants)))
    }
}

fn roles(roles: &Roles) -> Vec<String> {
    roles.iter().map(Role::to_string).collect()
}
