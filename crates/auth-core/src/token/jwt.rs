//! JSON Web Tokens (RFC 7519, RFC 8725) over `jsonwebtoken`: signature, algorithm, type and shape — not time.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AccessToken, Claims, InvalidToken, MAX_TOKEN_BYTES, TokenCodec};
use crate::error::BoxError;
use crate::user::Generation;

/// The `typ` of our tokens (RFC 8725 §3.11; the value is that of RFC 9068 §2.1): a token made for another purpose with
/// the same key is not accepted as an access token.
pub const TOKEN_TYPE: &str = "at+jwt";

/// The shortest HMAC secret, in bytes (RFC 7518 §3.2: at least the size of the hash output).
pub const MIN_SECRET_BYTES: usize = 32;

/// The shortest RSA modulus, in bits (RFC 7518 §3.3).
pub const MIN_RSA_BITS: usize = 2048;

/// Characters of the RFC 7638 thumbprint that serve as `kid`: 96 bits.
const KEY_ID_CHARS: usize = 16;

/// Why a key cannot be used. Never shows any of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An HMAC secret shorter than [`MIN_SECRET_BYTES`].
    #[error("the secret must have at least {MIN_SECRET_BYTES} bytes")]
    SecretTooShort,
    /// A PEM file given as an HMAC secret: if it were a public key, everybody could sign.
    #[error("the secret is a PEM file; give it as a key file")]
    SecretIsPem,
    /// Not a PEM key of a kind we use.
    #[error("the key is no PEM file with an Ed25519, a P-256 or an RSA {0} key (RSA of at least {MIN_RSA_BITS} bits)")]
    UnsupportedPem(&'static str),
    /// An RSA key that is too small.
    #[error("the RSA key must have at least {MIN_RSA_BITS} bits")]
    RsaTooSmall,
}

/// The key that signs: an HMAC secret, or a private key.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    header: Header,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// HS256 with a random secret.
    ///
    /// # Errors
    ///
    /// When the secret is too short, or is a PEM file.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_secret(secret)?;
        Ok(Self::new(EncodingKey::from_secret(secret), verifying))
    }

    /// `EdDSA` (Ed25519), ES256 (P-256) or RS256, whichever the private key in `pem` is for.
    ///
    /// # Errors
    ///
    /// When it is no private key of these kinds, or an RSA key that is too small.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        const UNSUPPORTED: KeyError = KeyError::UnsupportedPem("private");
        let (algorithm, key) = None
            .or_else(|| EncodingKey::from_ed_pem(pem).ok().map(|key| (Algorithm::EdDSA, key)))
            .or_else(|| EncodingKey::from_ec_pem(pem).ok().map(|key| (Algorithm::ES256, key)))
            .or_else(|| EncodingKey::from_rsa_pem(pem).ok().map(|key| (Algorithm::RS256, key)))
            .ok_or(UNSUPPORTED)?;
        let jwk = Jwk::from_encoding_key(&key, algorithm).map_err(|_| UNSUPPORTED)?;
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| UNSUPPORTED)?;
        let verifying = VerifyingKey::from_jwk(&jwk, algorithm, decoding, UNSUPPORTED)?;
        let signing = Self::new(key, verifying);
        // Signing once finds a key that parses but cannot sign, here and not at the first login.
        jsonwebtoken::encode(&signing.header, &(), &signing.key).map_err(|_| UNSUPPORTED)?;
        Ok(signing)
    }

    fn new(key: EncodingKey, verifying: VerifyingKey) -> Self {
        let mut header = Header::new(verifying.algorithm);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(verifying.id.clone());
        Self { key, header, verifying }
    }

    /// The `kid` that tokens signed with this key carry.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.verifying.id
    }

    /// The JWS name of the algorithm (RFC 7518 §3.1).
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.verifying.algorithm()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {}, <redacted>)", self.algorithm(), self.id())
    }
}

/// A key that verifies. Its algorithm is pinned: the header of a token chooses a key, never an algorithm (RFC 8725 §3.1).
#[derive(Clone)]
pub struct VerifyingKey {
    id: String,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// HS256 with a secret that signed before.
    ///
    /// # Errors
    ///
    /// When the secret is too short, or is a PEM file.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(KeyError::SecretIsPem);
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::SecretTooShort);
        }
        let key = DecodingKey::from_secret(secret);
        let jwk = Jwk::from_decoding_key(&key, Some(Algorithm::HS256)).map_err(|_| KeyError::SecretTooShort)?;
        Self::from_jwk(&jwk, Algorithm::HS256, key, KeyError::SecretTooShort)
    }

    /// `EdDSA` (Ed25519), ES256 (P-256) or RS256, whichever the public key in `pem` is for.
    ///
    /// # Errors
    ///
    /// When it is no public key of these kinds, or an RSA key that is too small.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        const UNSUPPORTED: KeyError = KeyError::UnsupportedPem("public");
        let (algorithm, key) = None
            .or_else(|| DecodingKey::from_ed_pem(pem).ok().map(|key| (Algorithm::EdDSA, key)))
            .or_else(|| DecodingKey::from_ec_pem(pem).ok().map(|key| (Algorithm::ES256, key)))
            .or_else(|| DecodingKey::from_rsa_pem(pem).ok().map(|key| (Algorithm::RS256, key)))
            .ok_or(UNSUPPORTED)?;
        let jwk = Jwk::from_decoding_key(&key, Some(algorithm)).map_err(|_| UNSUPPORTED)?;
        Self::from_jwk(&jwk, algorithm, key, UNSUPPORTED)
    }

    fn from_jwk(jwk: &Jwk, algorithm: Algorithm, key: DecodingKey, unsupported: KeyError) -> Result<Self, KeyError> {
        match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) if rsa.n.len() * 6 < MIN_RSA_BITS => return Err(KeyError::RsaTooSmall),
            AlgorithmParameters::EllipticCurve(ec) if ec.curve != EllipticCurve::P256 => return Err(unsupported),
            _ => {}
        }
        let mut id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| unsupported)?;
        id.truncate(KEY_ID_CHARS);
        Ok(Self { id, algorithm, key })
    }

    /// The `kid` of the tokens that this key verifies.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The JWS name of the algorithm (RFC 7518 §3.1).
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::EdDSA => "EdDSA",
            Algorithm::ES256 => "ES256",
            Algorithm::RS256 => "RS256",
            _ => "HS256",
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {}, <redacted>)", self.algorithm(), self.id)
    }
}

/// Signs and reads our tokens. One key signs; any number of keys verify, chosen by `kid` from this ring only — what a
/// token says of `jku`, `jwk` or `x5u` is never looked at.
///
/// # Examples
///
/// ```
/// use auth_core::token::jwt::{JwtCodec, SigningKey, VerifyingKey};
///
/// // Rotating a secret: the new one signs, tokens of the old one stay good until they expire.
/// let codec = JwtCodec::new(SigningKey::from_secret(&[2; 32])?, "https://auth.example", "api")
///     .with_verifying_key(VerifyingKey::from_secret(&[1; 32])?);
/// assert!(SigningKey::from_secret(b"too short").is_err());
/// # Ok::<(), auth_core::token::jwt::KeyError>(())
/// ```
#[derive(Debug)]
pub struct JwtCodec {
    signing: Option<SigningKey>,
    ring: Vec<RingKey>,
    issuer: String,
    audience: String,
}

struct RingKey {
    key: VerifyingKey,
    validation: Validation,
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl JwtCodec {
    /// A codec that signs with `signing` for one issuer and one audience (RFC 8725 §3.8 and §3.9).
    #[must_use]
    pub fn new(signing: SigningKey, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let verifying = signing.verifying.clone();
        let mut codec = Self::verify_only(issuer, audience).with_verifying_key(verifying);
        codec.signing = Some(signing);
        codec
    }

    /// A codec that cannot sign, for a service that only checks tokens. Give it keys with
    /// [`with_verifying_key`](Self::with_verifying_key).
    #[must_use]
    pub fn verify_only(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { signing: None, ring: Vec::new(), issuer: issuer.into(), audience: audience.into() }
    }

    /// Also accepts tokens signed with the counterpart of `key`.
    #[must_use]
    pub fn with_verifying_key(mut self, key: VerifyingKey) -> Self {
        let mut validation = Validation::new(key.algorithm);
        validation.validate_exp = false;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        self.ring.retain(|known| known.key.id != key.id);
        self.ring.push(RingKey { key, validation });
        self
    }
}

/// The claims as they are written. Names are those of RFC 7519 §4.1, `gen` and `admin` are ours.
#[derive(Serialize, Deserialize)]
struct WireClaims<'a> {
    #[serde(skip_deserializing)]
    iss: &'a str,
    #[serde(skip_deserializing)]
    aud: &'a str,
    sub: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
    #[serde(rename = "gen")]
    generation: u32,
    admin: bool,
}

impl TokenCodec for JwtCodec {
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError> {
        let signing = self.signing.as_ref().ok_or("this codec only verifies")?;
        let wire = WireClaims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: claims.user_id.as_uuid(),
            jti: claims.token_id.as_uuid(),
            iat: claims.issued_at.unix_timestamp(),
            exp: claims.expires_at.unix_timestamp(),
            generation: claims.generation.number(),
            admin: claims.admin,
        };
        Ok(AccessToken::new(jsonwebtoken::encode(&signing.header, &wire, &signing.key)?))
    }

    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        if unverified_token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken);
        }
        let unverified_header = jsonwebtoken::decode_header(unverified_token).map_err(|_| InvalidToken)?;
        if unverified_header.typ.as_deref() != Some(TOKEN_TYPE) || unverified_header.crit.is_some() {
            return Err(InvalidToken);
        }
        let kid = unverified_header.kid.as_deref().ok_or(InvalidToken)?;
        let entry = self.ring.iter().find(|entry| entry.key.id == kid).ok_or(InvalidToken)?;
        let verified = jsonwebtoken::decode::<WireClaims<'_>>(unverified_token, &entry.key.key, &entry.validation)
            .map_err(|_| InvalidToken)?;
        Claims::try_from(verified.claims)
    }
}

impl TryFrom<WireClaims<'_>> for Claims {
    type Error = InvalidToken;

    fn try_from(wire: WireClaims<'_>) -> Result<Self, InvalidToken> {
        let instant = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| InvalidToken);
        // The last year is left free, so that adding the leeway to an expiry cannot overflow.
        if wire.exp > LAST_EXPIRY {
            return Err(InvalidToken);
        }
        Ok(Self {
            user_id: wire.sub.into(),
            token_id: wire.jti.into(),
            issued_at: instant(wire.iat)?,
            expires_at: instant(wire.exp)?,
            generation: Generation::new(wire.generation),
            admin: wire.admin,
        })
    }
}

/// 9999-01-01T00:00:00Z in Unix seconds.
const LAST_EXPIRY: i64 = 253_370_764_800;
