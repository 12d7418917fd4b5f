//! What a node has read, and the ring that it makes of it.

use std::collections::HashMap;
use std::time::Duration;

use auth_core::keys::KeySet;
use time::OffsetDateTime;

use super::ManagedKeysOptions;
use super::error::ManagedKeysError;
use super::following::KeyChange;
use crate::codec::JwtCodec;
use crate::keys::SigningKey;

/// State of the reads of a node.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) set: KeySet,
    /// Private keys that were decrypted, by their `kid`. A `kid` is a thumbprint, so it never names another key.
    pub(super) opened: HashMap<String, SigningKey>,
    /// The ring in use.
    pub(super) ring: Ring,
    /// Whether all keys were found to be encrypted with the present master key. It is done once, so that two nodes with different
    /// master keys do not undo each other's work for ever.
    pub(super) has_resealed: bool,
    pub(super) unreported: Vec<KeyChange>,
    /// Monotonic time at which the last read began.
    pub(super) begun: Option<Duration>,
    /// Number and outcome of the last read that ended.
    pub(super) last: Option<(u64, Result<(), ManagedKeysError>)>,
}

/// Keys of a codec, by their `kid`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ring {
    /// Keys that verify.
    pub(super) kids: Vec<String>,
    /// The key of these that signs.
    pub(super) signing: Option<String>,
}

impl Ring {
    /// Returns the ring for `now` of the keys that were decrypted.
    pub(super) fn of(reader: &Reader, now: OffsetDateTime) -> Self {
        let is_open = |kid: &&String| reader.opened.contains_key(*kid);
        let needed = reader.set.keys.iter().filter(|key| key.is_needed(now)).map(|key| &key.kid);
        Self {
            kids: needed.filter(is_open).cloned().collect(),
            signing: reader.set.signing(now).map(|key| &key.kid).filter(is_open).cloned(),
        }
    }

    /// Returns how many keys are needed and not in the ring, and one more if none signs.
    pub(super) fn missing(&self, set: &KeySet, now: OffsetDateTime) -> u64 {
        let needed = set.keys.iter().filter(|key| key.is_needed(now)).count();
        (needed - self.kids.len()) as u64 + u64::from(self.signing.is_none())
    }

    /// Returns the codec with these keys, and with the further ones.
    pub(super) fn codec(&self, reader: &Reader, options: &ManagedKeysOptions) -> JwtCodec {
        let ManagedKeysOptions { issuer, audience, cached_tokens, further, .. } = options;
        let signing = self.signing.as_ref().and_then(|kid| reader.opened.get(kid));
        let codec = match signing {
            Some(key) => JwtCodec::new(key.clone(), issuer, audience),
            None => JwtCodec::verify_only(issuer, audience),
        };
        let keys = self.kids.iter().filter_map(|kid| reader.opened.get(kid)).map(SigningKey::verifying_key);
        keys.chain(further).cloned().fold(codec, JwtCodec::with_verifying_key).with_cached_tokens(*cached_tokens)
    }
}
