//! The codec: a key that was given, or keys of the database.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{Clock, KeySchedule, TokenCodec};
use auth_jwt::{JwtCodec, ManagedKeys, ManagedKeysError, ManagedKeysOptions, VerifyingKey};
use auth_storage::{Database, SeaKeyStore};

use crate::builder::Key;
use crate::error::StartError;

/// What signs and reads tokens.
pub(crate) struct Codec {
    pub(crate) codec: Arc<dyn TokenCodec>,
    /// The keys, if they are managed.
    pub(crate) keys: Option<Arc<ManagedKeys>>,
}

/// What the settings say about tokens.
pub(crate) struct CodecSettings {
    pub(crate) key: Option<Key>,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) verifying: Vec<VerifyingKey>,
    pub(crate) poll: Duration,
    /// Longest life of a token.
    pub(crate) token_life: Duration,
}

impl CodecSettings {
    /// Checks what can be checked without a database.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let help = "give a secret of at least 32 random bytes, a signing_key, or managed_keys";
        match self.key.as_ref().ok_or(StartError::Missing { field: "secret", help })? {
            Key::Codec(_) => return Ok(()),
            Key::Secret(Err(error)) => return Err(StartError::invalid("secret", *error)),
            Key::Secret(Ok(_)) | Key::Signing(_) | Key::Managed(..) => {}
        }
        for (field, name) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if name.is_empty() {
                return Err(StartError::invalid(field, "must not be empty"));
            }
        }
        Ok(())
    }

    /// Makes the codec. Managed keys are read for the first time.
    pub(crate) async fn codec(self, database: Option<&Database>, clock: &Arc<dyn Clock>) -> Result<Codec, StartError> {
        self.check()?;
        let Self { key, issuer, audience, verifying, poll, token_life } = self;
        let signing = match key {
            Some(Key::Codec(codec)) => return Ok(Codec { codec, keys: None }),
            Some(Key::Managed(masters, chosen)) => {
                let help = "managed keys are kept in a database; give a database_url or a database";
                let database = database.ok_or(StartError::Missing { field: "database_url", help })?;
                let schedule =
                    KeySchedule { rotation: chosen.rotation, jwks_max_age: chosen.jwks_max_age, poll, token_life };
                let mut options = ManagedKeysOptions::new(schedule, issuer, audience);
                (options.algorithm, options.further) = (chosen.algorithm, verifying);
                let store = Arc::new(SeaKeyStore::new(database.clone()));
                let sleep = Arc::new(|time| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
                    Box::pin(tokio::time::sleep(time))
                });
                let keys = Arc::new(ManagedKeys::new(store, masters, options, Arc::clone(clock), sleep));
                keys.sync().await.map_err(|error| match error {
                    ManagedKeysError::Store(error) => StartError::Store(error),
                    error => StartError::invalid("managed_keys", error),
                })?;
                return Ok(Codec { codec: keys.clone(), keys: Some(keys) });
            }
            Some(Key::Signing(key) | Key::Secret(Ok(key))) => key,
            Some(Key::Secret(Err(error))) => return Err(StartError::invalid("secret", error)),
            None => return Err(StartError::Missing { field: "secret", help: "give a secret" }),
        };
        let codec = JwtCodec::new(signing, issuer, audience);
        Ok(Codec { codec: Arc::new(verifying.into_iter().fold(codec, JwtCodec::with_verifying_key)), keys: None })
    }
}
