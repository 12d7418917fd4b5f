//! `auth-server key retire`: another secret in place of the one that the server made itself.

use std::io::{self, Write};
use std::path::Path;

use auth_core::{BoxError, Clock as _, SystemClock};
use auth_jwt::SigningKey;

use crate::config::{Config, DATA_DIR, SigningSource, TOKEN_VERIFY_KEY_FILES, TOKEN_VERIFY_SECRET_FILES};
use crate::secret_file;

/// Returns the file with the secret that the server made itself, or `None` where the keys are managed.
///
/// # Errors
///
/// The key is one of the operator's, or lives no longer than a process.
pub(super) fn secret_path(signing: &SigningSource) -> Result<Option<&Path>, BoxError> {
    match signing {
        SigningSource::CreatedAt(path) => Ok(Some(path)),
        SigningSource::Managed(_) => Ok(None),
        SigningSource::Key { set_in, .. } => {
            let (keys, secrets) = (TOKEN_VERIFY_KEY_FILES.variable, TOKEN_VERIFY_SECRET_FILES.variable);
            Err(format!(
                "nothing was changed: the signing key is the operator's, set in {set_in}; put a new one there, do not list \
                 the old one in {keys} or {secrets}, and restart all servers"
            )
            .into())
        }
        SigningSource::Random => Err("nothing was changed: in this profile every start makes a new signing key".into()),
    }
}

/// Puts a new secret into the file, and keeps the old one beside it.
pub(super) fn run(path: &Path, config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
    let shown = path.display();
    let old = secret_file::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("nothing was changed: there is no secret in {shown} ({})", DATA_DIR.variable)
        }
        _ => format!("nothing was changed: the secret in {shown} cannot be read: {error}"),
    })?;
    let old = SigningKey::from_secret(old.expose_secret())?;
    if config.verifying.iter().any(|key| key.id() == old.id()) {
        let listed = TOKEN_VERIFY_SECRET_FILES.variable;
        return Err(format!(
            "nothing was changed: a file of {listed} holds the secret in {shown}, so its tokens would go on to be \
             accepted; remove it there first"
        )
        .into());
    }
    let aside = secret_file::retire(path, SystemClock.now())
        .map_err(|error| format!("the secret in {shown} cannot be replaced: {error}"))?;
    writeln!(out, "a new secret is in {shown}; the old one was kept in {}", aside.display())?;
    writeln!(out, "restart every server that uses it: until then it goes on with the old one")?;
    Ok(())
}
