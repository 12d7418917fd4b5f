//! JSON Web Tokens (RFC 7519, RFC 8725) over `jsonwebtoken`: signature, algorithm, type and shape. The times are
//! checked elsewhere.

use std::fmt;

use auth_core::token::MAX_TOKEN_BYTES;
use auth_core::{AccessToken, BoxError, Claims, InvalidToken, TokenCodec};

use crate::cache::{CacheStats, VerifiedTokens};
use crate::jwks::Jwks;
use crate::keys::{SigningKey, VerifyingKey};
use crate::wire::{self, UnverifiedHeader, WireClaims};

/// Codec that signs and reads our tokens. One key signs, and any number of keys verify.
///
/// The `kid` of a token chooses a key from the codec's own ring. The header members `jku`, `jwk` and `x5u` are ignored.
///
/// # Examples
///
/// ```
/// use auth_jwt::{JwtCodec, SigningKey, VerifyingKey};
///
/// // Rotation of a secret: the new key signs, and tokens of the old key stay good until they expire.
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

/// Default number of verified tokens in the cache of a codec: about seven mebibytes of HS256 tokens.
pub const DEFAULT_CACHED_TOKENS: usize = 16_384;

struct RingKey {
    key: VerifyingKey,
    /// First part of every token that we sign with this key. A header with the same text need not be parsed.
    header: Option<String>,
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl JwtCodec {
    /// Returns a codec that signs with `signing` for one issuer and one audience (RFC 8725 §3.8 and §3.9).
    #[must_use]
    pub fn new(signing: SigningKey, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let verifying = signing.verifying.clone();
        let mut codec = Self::verify_only(issuer, audience).with_verifying_key(verifying);
        codec.signing = Some(signing);
        codec
    }

    /// Returns a codec that cannot sign, for a service that only checks tokens. Add keys with
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

    /// Sets the maximum number of verified tokens in the cache. Each takes at most a kibibyte of text. A cache hit
    /// costs no cryptography. With zero every signature is verified at every use. The maximum is
    /// [`MAX_CACHED_TOKENS`](crate::MAX_CACHED_TOKENS), the default is [`DEFAULT_CACHED_TOKENS`].
    ///
    /// The times and the blacklist are checked at every use all the same. To remove a key, make a codec without it. The
    /// new codec has an empty cache.
    #[must_use]
    pub fn with_cached_tokens(mut self, entries: usize) -> Self {
        self.verified = VerifiedTokens::new(entries);
        self
    }

    /// Returns the counts and the size of the cache.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        self.verified.stats()
    }

    /// Returns the public keys of the ring, for those who check tokens with keys of their own. They are in
    /// the order in which they were added. HMAC
    /// secrets are not in it.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks::of(self.ring.iter().filter_map(|known| known.key.public.as_deref()))
    }

    /// Returns the `kid` of a text that has the form of a token signed with a key pair, if no key of the ring has it.
    ///
    /// It is for codecs that can read further keys: nothing about the text was verified.
    #[must_use]
    pub fn unknown_kid(&self, unverified_token: &str) -> Option<String> {
        if unverified_token.len() > MAX_TOKEN_BYTES || unverified_token.split('.').count() != 3 {
            return None;
        }
        let (unverified_header, _) = unverified_token.split_once('.')?;
        let kid = wire::decode::<UnverifiedHeader<'_>, _>(unverified_header, |header| {
            header.kid_of_key_pair().map(str::to_owned).ok_or(InvalidToken)
        });
        kid.ok().filter(|kid| self.ring.iter().all(|known| known.key.id() != kid))
    }

    /// Verifies the signature of a token that is not in the cache, and reads it.
    fn verify(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        let (message, signature) = unverified_token.rsplit_once('.').ok_or(InvalidToken)?;
        let (unverified_header, payload) = message.split_once('.').ok_or(InvalidToken)?;
        let key = self.key_for(unverified_header)?;
        // The key decides the algorithm, never the token.
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm) {
            Ok(true) => {
                wire::decode::<WireClaims<'_>, _>(payload, |wire| wire.read(&self.issuer, &self.audience, key.key_id))
            }
            _ => Err(InvalidToken),
        }
    }

    fn key_for(&self, unverified_header: &str) -> Result<&VerifyingKey, InvalidToken> {
        let written = |known: &&RingKey| known.header.as_deref() == Some(unverified_header);
        if let Some(known) = self.ring.iter().find(written) {
            return Ok(&known.key);
        }
        // A header of ours with its fields in another order is accepted too.
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
        self.verified.remember(unverified_token, claims.clone());
        Ok(claims)
    }
}
