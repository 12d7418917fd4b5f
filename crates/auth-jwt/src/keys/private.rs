//! Private keys that a program generates, for keys that nobody keeps in files.

use std::{fmt, thread};

use auth_core::keys::KeyAlgorithm;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use futures_channel::oneshot;
use zeroize::Zeroizing;

use super::{KeyError, KidForm, SigningKey};

/// Private key in PKCS#8 form (RFC 5208). It is a secret, and is erased from memory when it is dropped.
///
/// ```
/// use auth_core::keys::KeyAlgorithm;
/// use auth_jwt::PrivateKey;
///
/// let key = PrivateKey::generate(KeyAlgorithm::EdDsa)?.signing_key()?;
/// assert_eq!((key.algorithm(), key.id().len()), ("EdDSA", 43));
/// # Ok::<(), auth_jwt::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<Vec<u8>>);

impl PrivateKey {
    /// Generates a key: Ed25519, P-256, or RSA of 2048 bits. An RSA key takes a noticeable part of a second.
    ///
    /// # Errors
    ///
    /// When the library of cryptography makes none.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let pkcs8 = match algorithm {
            KeyAlgorithm::EdDsa => {
                Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map(|der| der.as_ref().to_vec())
            }
            KeyAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|der| der.as_ref().to_vec()),
            KeyAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| pair.as_der())
                .map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
        };
        pkcs8.map(Self::from_pkcs8).map_err(|_| KeyError::NotGenerated)
    }

    /// Does the same on a thread of its own, so that the thread that waits can do other work.
    pub(crate) async fn generate_on_a_thread(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let (reply, generated) = oneshot::channel();
        let thread = thread::Builder::new().name("key-generation".to_owned());
        // Nobody receives the key when the caller has given up.
        let spawned = thread.spawn(move || drop(reply.send(Self::generate(algorithm))));
        spawned.map_err(|_| KeyError::NotGenerated)?;
        generated.await.map_err(|_| KeyError::NotGenerated)?
    }

    /// Wraps the PKCS#8 form of a key. [`signing_key`](Self::signing_key) checks it.
    #[must_use]
    pub fn from_pkcs8(der: Vec<u8>) -> Self {
        Self(Zeroizing::new(der))
    }

    /// Returns the PKCS#8 form of the key, which nobody else may see.
    #[must_use]
    pub fn expose_pkcs8(&self) -> &[u8] {
        &self.0
    }

    /// Returns the key that signs. Its `kid` is the whole thumbprint of RFC 7638.
    ///
    /// # Errors
    ///
    /// When it is not an Ed25519, a P-256 or an RSA key, or an RSA key is too small.
    pub fn signing_key(&self) -> Result<SigningKey, KeyError> {
        let pem = ::pem::encode(&::pem::Pem::new("PRIVATE KEY", self.expose_pkcs8()));
        SigningKey::from_pem_with_kid(Zeroizing::new(pem).as_bytes(), KidForm::Thumbprint)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(<redacted>)")
    }
}
