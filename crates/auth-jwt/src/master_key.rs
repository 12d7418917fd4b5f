//! Encryption of private keys, so that who reads the database cannot sign tokens.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::keys::{PrivateKey, SigningKey};

/// Length of a master key, in bytes.
const MASTER_KEY_BYTES: usize = 32;

/// First byte of a sealed key: the version of its form.
const VERSION: u8 = 1;

/// Text that separates the id of a master key from every other hash.
const ID_DOMAIN: &[u8] = b"revocable-auth master key id\0";

/// Text that separates sealed keys from whatever else the master key may encrypt.
const SEAL_DOMAIN: &[u8] = b"revocable-auth signing key 1\0";

/// Key that encrypts the private keys in a database (AES-256-GCM).
#[derive(Clone)]
pub struct MasterKey {
    id: MasterKeyId,
    key: Arc<RandomizedNonceKey>,
}

/// Id of a master key: 64 bits of a hash of it. It is no secret, and tells which key sealed a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MasterKeyId([u8; 8]);

impl MasterKeyId {
    /// Returns the id of the master key that sealed a private key, or `None` if these bytes are no sealed key.
    #[must_use]
    pub fn of_sealed(sealed: &[u8]) -> Option<Self> {
        parts(sealed).map(|(id, ..)| id)
    }
}

/// Reason that a text is no master key. It never shows any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// The text is not base64 of [32 bytes](MasterKey::from_base64).
    #[error("a master key is 32 random bytes in base64; make one with: openssl rand -base64 32")]
    Form,
    /// All bytes are equal, so they are not random.
    #[error("a master key must be random; make one with: openssl rand -base64 32")]
    NotRandom,
}

impl MasterKey {
    /// Reads 32 random bytes in base64 (RFC 4648 §4, with padding). White space around them is ignored.
    ///
    /// # Errors
    ///
    /// When the text has another form, or all bytes are equal.
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| MasterKeyError::Form)?;
        if bytes.len() != MASTER_KEY_BYTES {
            return Err(MasterKeyError::Form);
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(MasterKeyError::NotRandom);
        }
        let mut hash = Context::new(&SHA256);
        hash.update(ID_DOMAIN);
        hash.update(&bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finish().as_ref()[..8]);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| MasterKeyError::Form)?;
        Ok(Self { id: MasterKeyId(id), key: Arc::new(key) })
    }

    /// Returns the id of the key.
    #[must_use]
    pub fn id(&self) -> MasterKeyId {
        self.id
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, <redacted>)", self.id)
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reason that a sealed key cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The key was sealed with a master key that is not at hand.
    #[error("the key was sealed with another master key, whose id is {0}")]
    OtherMasterKey(MasterKeyId),
    /// The sealed bytes were changed, were cut off, or belong to another `kid`.
    #[error("the sealed key was changed or belongs to another kid")]
    Altered,
    /// The library of cryptography did not encrypt.
    #[error("the key could not be sealed")]
    NotSealed,
}

/// Master key that seals, and an earlier one that still opens.
///
/// A sealed key is: one byte of version, 8 bytes of the id of the master key, 12 bytes of random nonce, the encrypted PKCS#8
/// form, and 16 bytes of tag. The tag covers the `kid` too, so a row cannot take the place of another one.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    current: MasterKey,
    previous: Option<MasterKey>,
}

impl MasterKeys {
    /// Returns the keys with `current`, which seals, and `previous`, which opens what was sealed before the change.
    #[must_use]
    pub fn new(current: MasterKey, previous: Option<MasterKey>) -> Self {
        Self { current, previous }
    }

    /// Encrypts the private key that has this `kid`.
    ///
    /// # Errors
    ///
    /// When the library of cryptography does not encrypt.
    pub fn seal(&self, kid: &str, key: &PrivateKey) -> Result<Vec<u8>, SealError> {
        let mut text = Zeroizing::new(Vec::with_capacity(key.expose_pkcs8().len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(key.expose_pkcs8());
        let nonce = self
            .current
            .key
            .seal_in_place_append_tag(associated_data(self.current.id, kid), &mut *text)
            .map_err(|_| SealError::NotSealed)?;
        Ok([&[VERSION], &self.current.id.0[..], nonce.as_ref(), &text].concat())
    }

    /// Decrypts the private key that has this `kid`, and checks that it has.
    ///
    /// # Errors
    ///
    /// When it was sealed with a master key that is not at hand, or is not what [`seal`](Self::seal) returned for this `kid`.
    pub fn open(&self, kid: &str, sealed: &[u8]) -> Result<(PrivateKey, SigningKey), SealError> {
        let (id, nonce, text) = parts(sealed).ok_or(SealError::Altered)?;
        let master = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|key| key.id == id);
        let master = master.ok_or(SealError::OtherMasterKey(id))?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = master
            .key
            .open_in_place(Nonce::assume_unique_for_key(nonce), associated_data(id, kid), &mut text)
            .map_err(|_| SealError::Altered)?;
        let private = PrivateKey::from_pkcs8(opened.to_vec());
        let signing = private.signing_key().map_err(|_| SealError::Altered)?;
        if signing.id() == kid { Ok((private, signing)) } else { Err(SealError::Altered) }
    }

    /// Returns whether the current master key sealed this, so that it need not be sealed again.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        MasterKeyId::of_sealed(sealed) == Some(self.current.id)
    }
}

fn parts(sealed: &[u8]) -> Option<(MasterKeyId, [u8; NONCE_LEN], &[u8])> {
    let (&version, rest) = sealed.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (nonce, text) = rest.split_first_chunk()?;
    (version == VERSION).then_some((MasterKeyId(*id), *nonce, text))
}

fn associated_data(id: MasterKeyId, kid: &str) -> Aad<Vec<u8>> {
    Aad::from([SEAL_DOMAIN, &id.0, kid.as_bytes()].concat())
}
