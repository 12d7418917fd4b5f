//! Keys: HMAC secrets, and halves of key pairs in PEM.

mod jwk;
mod pem;
mod private;

use std::fmt;
use std::sync::Arc;

use auth_core::KeyId;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};

pub use self::private::PrivateKey;
use crate::key_form::KeyForm;
use crate::wire::TOKEN_TYPE;

/// Minimum length of an HMAC secret, in bytes (RFC 7518 §3.2: at least the size of the hash output).
pub const MIN_SECRET_BYTES: usize = 32;

/// Minimum length of an RSA modulus, in bits (RFC 7518 §3.3).
pub const MIN_RSA_BITS: usize = 2048;

/// Maximum length of a JSON Web Key Set that is read, in bytes: about a hundred RSA keys, and far more of other kinds.
pub const MAX_JWKS_BYTES: usize = 64 * 1024;

/// Length of a short `kid`, in characters of the RFC 7638 thumbprint: 96 bits.
const SHORT_KID_CHARS: usize = 16;

/// Where the `kid` of a key comes from.
pub(super) enum KidForm {
    /// The first [`SHORT_KID_CHARS`] of the RFC 7638 thumbprint, for keys in files and for secrets.
    Short,
    /// The whole RFC 7638 thumbprint.
    Thumbprint,
    /// The issuer of the key gave it.
    Given(String),
}

/// Reason that a key cannot be used. It never shows any of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The HMAC secret is shorter than [`MIN_SECRET_BYTES`].
    #[error("the secret must have at least {MIN_SECRET_BYTES} bytes")]
    SecretTooShort,
    /// A key or a document was given as an HMAC secret. If it were a public key, everybody could sign tokens with it.
    #[error(
        "the secret looks like {0}; a key belongs into a key file, and a secret is made with: openssl rand -base64 48"
    )]
    SecretIsKey(KeyForm),
    /// The text is not a PEM key of a supported kind.
    #[error("the key is no PEM file with an Ed25519, a P-256 or an RSA {0} key (RSA of at least {MIN_RSA_BITS} bits)")]
    UnsupportedPem(&'static str),
    /// The key has another form than PEM.
    #[error("the key is no PEM file; it looks like {0}{remedy}", remedy = .0.remedy())]
    NotPem(KeyForm),
    /// A private key was given where a public key is expected.
    #[error("the key is a private key; write its public half with: openssl pkey -in FILE -pubout -out FILE.pub")]
    PrivateKey,
    /// A public key was given where a private key is expected.
    #[error("the key is a public key; the private key signs")]
    PublicKey,
    /// The private key is encrypted with a passphrase.
    #[error("the key is encrypted; write it without a passphrase with: openssl pkey -in FILE -out FILE.plain")]
    Encrypted,
    /// The file contains more than one key.
    #[error("there is more than one key in the file; give each a file of its own")]
    SeveralKeys,
    /// The RSA key is too small.
    #[error("the RSA key must have at least {MIN_RSA_BITS} bits")]
    RsaTooSmall,
    /// The text is not a JSON Web Key of a supported kind.
    #[error(
        "the key is no JSON Web Key with an Ed25519, a P-256 or an RSA public key (RSA of at least {MIN_RSA_BITS} bits)"
    )]
    UnsupportedJwk,
    /// The JSON Web Key holds a secret or a private key, which nobody publishes.
    #[error("the JSON Web Key is a private key or a secret; only public keys are read")]
    PrivateJwk,
    /// The JSON Web Key is for another algorithm or not for signatures.
    #[error(
        "the JSON Web Key is for another purpose: its use, key_ops or alg do not fit a signature of its kind of key"
    )]
    PurposeOfJwk,
    /// The text is not a JSON Web Key Set.
    #[error("the text is no JSON Web Key Set of at most {MAX_JWKS_BYTES} bytes")]
    NotJwks,
    /// The library of cryptography made no key.
    #[error("no key could be generated")]
    NotGenerated,
}

/// Key that signs: an HMAC secret or a private key.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) key: EncodingKey,
    pub(super) header: Header,
    pub(super) verifying: VerifyingKey,
}

impl SigningKey {
    /// Returns an HS256 key with a random secret (RFC 8725 §3.5).
    ///
    /// # Errors
    ///
    /// When the secret is too short, or is, contains or decodes to a key (see [`KeyForm::recognize`]).
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_secret(secret)?;
        Ok(Self::new(EncodingKey::from_secret(secret), verifying))
    }

    /// Reads the one private key in `pem`, which decides the algorithm: `EdDSA` (Ed25519), ES256 (P-256) or RS256. The
    /// key is in PKCS#8, PKCS#1 or SEC 1 form, unencrypted. Text around it is ignored.
    ///
    /// # Errors
    ///
    /// When it is not a private key of these kinds, there is more than one, or an RSA key is too small.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        Self::from_pem_with_kid(pem, KidForm::Short)
    }

    fn from_pem_with_kid(pem: &[u8], kid: KidForm) -> Result<Self, KeyError> {
        const UNSUPPORTED: KeyError = KeyError::UnsupportedPem("private");
        let block = pem::private_key(pem)?;
        let (algorithm, key) = if block.tag() == "EC PRIVATE KEY" {
            (Algorithm::ES256, EncodingKey::from_ec_der(&pem::pkcs8_of_p256(block.contents())))
        } else {
            let pem = pem::text(&block);
            None.or_else(|| EncodingKey::from_ed_pem(&pem).ok().map(|key| (Algorithm::EdDSA, key)))
                .or_else(|| EncodingKey::from_ec_pem(&pem).ok().map(|key| (Algorithm::ES256, key)))
                .or_else(|| EncodingKey::from_rsa_pem(&pem).ok().map(|key| (Algorithm::RS256, key)))
                .ok_or(UNSUPPORTED)?
        };
        let jwk = Jwk::from_encoding_key(&key, algorithm).map_err(|_| UNSUPPORTED)?;
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| UNSUPPORTED)?;
        let verifying = VerifyingKey::from_jwk(&jwk, algorithm, decoding, kid, UNSUPPORTED)?;
        let signing = Self::new(key, verifying);
        // A first signature finds a key that parses but cannot sign here, and not at the first login.
        jsonwebtoken::encode(&signing.header, &(), &signing.key).map_err(|_| UNSUPPORTED)?;
        Ok(signing)
    }

    fn new(key: EncodingKey, verifying: VerifyingKey) -> Self {
        Self { key, header: verifying.header(), verifying }
    }

    /// Returns the key that verifies what this key signs.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Returns the `kid` of tokens that are signed with this key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.verifying.id
    }

    /// Returns the JWS name of the algorithm (RFC 7518 §3.1).
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

/// Key that verifies. Its algorithm is fixed: the header of a token chooses a key, never an algorithm (RFC 8725 §3.1).
#[derive(Clone)]
pub struct VerifyingKey {
    pub(super) id: String,
    pub(super) key_id: KeyId,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    /// The key as a JWK, if it is a public key. A secret has none, so that no code path can publish it.
    pub(super) public: Option<Arc<Jwk>>,
}

impl VerifyingKey {
    /// Returns an HS256 key with a secret that signed before.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::from_secret`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if let Some(form) = KeyForm::recognize(secret) {
            return Err(KeyError::SecretIsKey(form));
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::SecretTooShort);
        }
        let key = DecodingKey::from_secret(secret);
        let jwk = Jwk::from_decoding_key(&key, Some(Algorithm::HS256)).map_err(|_| KeyError::SecretTooShort)?;
        Self::from_jwk(&jwk, Algorithm::HS256, key, KidForm::Short, KeyError::SecretTooShort)
    }

    /// Reads the one public key in `pem`, which decides the algorithm: `EdDSA` (Ed25519), ES256 (P-256) or RS256. The
    /// key is in SPKI or PKCS#1 form, or is that of a certificate, whose dates and signatures are ignored. Text around
    /// it is ignored.
    ///
    /// # Errors
    ///
    /// When it is not a public key of these kinds, there is more than one, or an RSA key is too small.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        const UNSUPPORTED: KeyError = KeyError::UnsupportedPem("public");
        let pem = pem::text(&pem::public_key(pem)?);
        let (algorithm, key) = None
            .or_else(|| DecodingKey::from_ed_pem(&pem).ok().map(|key| (Algorithm::EdDSA, key)))
            .or_else(|| DecodingKey::from_ec_pem(&pem).ok().map(|key| (Algorithm::ES256, key)))
            .or_else(|| DecodingKey::from_rsa_pem(&pem).ok().map(|key| (Algorithm::RS256, key)))
            .ok_or(UNSUPPORTED)?;
        let jwk = Jwk::from_decoding_key(&key, Some(algorithm)).map_err(|_| UNSUPPORTED)?;
        Self::from_jwk(&jwk, algorithm, key, KidForm::Short, UNSUPPORTED)
    }

    /// Reads a public key in the form of a JSON Web Key (RFC 7517 §4), as a [key set](crate::Jwks) has it. Its kind decides the
    /// algorithm: `EdDSA` (Ed25519), ES256 (P-256) or RS256.
    ///
    /// Its `kid` is the one in the text. Without one it is the thumbprint of RFC 7638.
    ///
    /// # Errors
    ///
    /// When it is not a public key of these kinds, it is a private key or a secret, `alg`, `use` or `key_ops` say that it is for
    /// something else, or an RSA key is too small.
    pub fn from_jwk_json(json: &str) -> Result<Self, KeyError> {
        jwk::read(json)
    }

    pub(super) fn from_jwk(
        jwk: &Jwk,
        algorithm: Algorithm,
        key: DecodingKey,
        kid: KidForm,
        unsupported: KeyError,
    ) -> Result<Self, KeyError> {
        match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) if rsa.n.len() * 6 < MIN_RSA_BITS => return Err(KeyError::RsaTooSmall),
            AlgorithmParameters::EllipticCurve(ec) if ec.curve != EllipticCurve::P256 => return Err(unsupported),
            _ => {}
        }
        let mut id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| unsupported)?;
        match kid {
            KidForm::Short => id.truncate(SHORT_KID_CHARS),
            KidForm::Thumbprint => {}
            KidForm::Given(kid) => id = kid,
        }
        let public = public_jwk(jwk, &id, algorithm).map(Arc::new);
        Ok(Self { key_id: KeyId::of_kid(&id), id, algorithm, key, public })
    }

    /// Returns the header of the tokens that this key verifies, as we write it.
    pub(super) fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.id.clone());
        header
    }

    /// Returns the key as a JSON Web Key with its `kid`, `use` and `alg` (RFC 7517 §4), or `None` for a secret.
    #[must_use]
    pub fn to_jwk_json(&self) -> Option<String> {
        self.public.as_deref().and_then(|jwk| serde_json::to_string(jwk).ok())
    }

    /// Returns the `kid` of the tokens that this key verifies.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the JWS name of the algorithm (RFC 7518 §3.1).
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

/// Returns the JWK of a public key with its `kid`, `use` and `alg` (RFC 7517 §4), and `None` for a secret.
fn public_jwk(jwk: &Jwk, id: &str, algorithm: Algorithm) -> Option<Jwk> {
    let key_algorithm = match algorithm {
        Algorithm::EdDSA => KeyAlgorithm::EdDSA,
        Algorithm::ES256 => KeyAlgorithm::ES256,
        Algorithm::RS256 => KeyAlgorithm::RS256,
        _ => return None,
    };
    let mut public = jwk.clone();
    public.common.key_id = Some(id.to_owned());
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    public.common.key_algorithm = Some(key_algorithm);
    match public.algorithm {
        AlgorithmParameters::EllipticCurve(_) | AlgorithmParameters::RSA(_) | AlgorithmParameters::OctetKeyPair(_) => {
            Some(public)
        }
        _ => None,
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {}, <redacted>)", self.algorithm(), self.id)
    }
}
