//! JSON Web Tokens (RFC 7519, RFC 8725) over `jsonwebtoken`: signature, algorithm, type and shape — not time.

mod wire;

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};

use self::wire::{UnverifiedHeader, WireClaims};
use super::cache::{CacheStats, VerifiedTokens};
use super::{AccessToken, Claims, InvalidToken, MAX_TOKEN_BYTES, TokenCodec};
use crate::error::BoxError;

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
        Self { key, header: verifying.header(), verifying }
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

    /// The header of the tokens that this key verifies, as we write it.
    fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.id.clone());
        header
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
    verified: VerifiedTokens,
}

/// How many verified tokens a codec remembers unless it is told otherwise: about seven mebibytes of HS256 tokens.
pub const DEFAULT_CACHED_TOKENS: usize = 16_384;

struct RingKey {
    key: VerifyingKey,
    /// The first part of every token that we sign with this key: whoever sees it need not parse it.
    header: Option<String>,
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
        let verified = VerifiedTokens::new(DEFAULT_CACHED_TOKENS);
        Self { signing: None, ring: Vec::new(), issuer: issuer.into(), audience: audience.into(), verified }
    }

    /// Also accepts tokens signed with the counterpart of `key`.
    #[must_use]
    pub fn with_verifying_key(mut self, key: VerifyingKey) -> Self {
        self.ring.retain(|known| known.key.id != key.id);
        self.ring.push(RingKey { header: wire::encode(&key.header()), key });
        self
    }

    /// Remembers at most `entries` tokens whose signature was found good, and at most a kibibyte of text for each, so
    /// that the next sight of one costs no cryptography. Zero: every signature is verified at every sight. At most
    /// [`MAX_CACHED_TOKENS`](super::MAX_CACHED_TOKENS) are remembered. Default: [`DEFAULT_CACHED_TOKENS`].
    ///
    /// Time and blacklist are asked at every sight all the same. To forget a key is to make a codec without it, which
    /// remembers nothing of this one.
    #[must_use]
    pub fn with_cached_tokens(mut self, entries: usize) -> Self {
        self.verified = VerifiedTokens::new(entries);
        self
    }

    /// What remembering verified tokens has done so far.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        self.verified.stats()
    }

    /// Verifies the signature of a token that is not remembered, and reads it.
    fn verify(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        let (message, signature) = unverified_token.rsplit_once('.').ok_or(InvalidToken)?;
        let (unverified_header, payload) = message.split_once('.').ok_or(InvalidToken)?;
        let key = self.key_for(unverified_header)?;
        // The algorithm is the key's, never the token's.
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm) {
            Ok(true) => wire::decode::<WireClaims<'_>, _>(payload, |wire| wire.read(&self.issuer, &self.audience)),
            _ => Err(InvalidToken),
        }
    }

    fn key_for(&self, unverified_header: &str) -> Result<&VerifyingKey, InvalidToken> {
        let written = |known: &&RingKey| known.header.as_deref() == Some(unverified_header);
        if let Some(known) = self.ring.iter().find(written) {
            return Ok(&known.key);
        }
        // The same header in another order of fields is as good.
        wire::decode::<UnverifiedHeader<'_>, _>(unverified_header, |header| {
            let of_ours = |known: &&RingKey| header.is_of(known.key.id(), known.key.algorithm());
            self.ring.iter().find(of_ours).map(|known| &known.key).ok_or(InvalidToken)
        })
    }
}

impl TokenCodec for JwtCodec {
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError> {
        let signing = self.signing.as_ref().ok_or("this codec only verifies")?;
        let wire = WireClaims::new(claims, &self.issuer, &self.audience);
        Ok(AccessToken::new(jsonwebtoken::encode(&signing.header, &wire, &signing.key)?))
    }

    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        if unverified_token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken);
        }
        if let Some(claims) = self.verified.find(unverified_token) {
            return Ok(claims);
        }
        let claims = self.verify(unverified_token)?;
        self.verified.remember(unverified_token, claims);
        Ok(claims)
    }
}
