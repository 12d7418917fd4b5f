//! `auth-server key retire`: another secret in place of the one that the server made itself.

use std::io::{self, Write};

use auth_core::{BoxError, Clock as _, SystemClock};
use auth_jwt::SigningKey;

use crate::config::{Config, DATA_DIR, SigningSource, TOKEN_VERIFY_KEY_FILES, TOKEN_VERIFY_SECRET_FILES};
use crate::secret_file;

pub(super) fn run(config: &Config, out: &mut dyn Write) -> Result<(), BoxError> {
    let path = match &config.signing {
        SigningSource::CreatedAt(path) => path,
        SigningSource::Key { set_in, .. } => {
            let (keys, secrets) = (TOKEN_VERIFY_KEY_FILES.variable, TOKEN_VERIFY_SECRET_FILES.variable);
            return Err(format!(
                "nothing was changed: the signing key is the operator's, set in {set_in}; put a new one there, do \
                 not list the old one in {keys} or {secrets}, and restart all servers"
            )
            .into());
        }
        SigningSource::Managed(_) => {
            return Err(
                "nothing was changed: the keys are managed; revoke those that `auth-server key list` shows with \
                        `auth-server key revoke KID`"
                    .into(),
            );
        }
        SigningSource::Random => {
            return Err("nothing was changed: in this profile every start makes a new signing key".into());
        }
    };
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
