//! JSON Web Tokens (RFC 7519, RFC 8725) over `jsonwebtoken`: signature, algorithm, type and shape — not time.

use std::fmt;

use auth_core::token::MAX_TOKEN_BYTES;
use auth_core::{AccessToken, BoxError, Claims, InvalidToken, TokenCodec};

use crate::cache::{CacheStats, VerifiedTokens};
use crate::keys::{SigningKey, VerifyingKey};
use crate::wire::{self, UnverifiedHeader, WireClaims};

/// Signs and reads our tokens. One key signs; any number of keys verify, chosen by `kid` from this ring only — what a
/// token says of `jku`, `jwk` or `x5u` is never looked at.
///
/// # Examples
///
/// ```
/// use auth_jwt::{JwtCodec, SigningKey, VerifyingKey};
///
/// // Rotating a secret: the new one signs, tokens of the old one stay good until they expire.
/// let codec = JwtCodec::new(SigningKey::from_secret(&[2; 32])?, "https://auth.example", "api")
///     .with_verifying_key(VerifyingKey::from_secret(&[1; 32])?);
/// assert!(SigningKey::from_secret(b"too short").is_err());
/// # Ok::<(), auth_jwt::KeyError>(())
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
    /// [`MAX_CACHED_TOKENS`](crate::MAX_CACHED_TOKENS) are remembered. Default: [`DEFAULT_CACHED_TOKENS`].
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
