//! Certificates for servers of tests, signed by themselves.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::own_server::{finish, is_root};
use super::{TestDatabaseKind, skip};

/// A certificate of the address 127.0.0.1 and of no name, with its key, for a server to show.
#[derive(Debug)]
pub struct Certificate(TempDir);

impl Certificate {
    /// Makes one by the program `openssl`. `None`, after a line that says so, where that is not installed.
    ///
    /// # Panics
    ///
    /// When it cannot be made although `openssl` is installed; where `CI` is `true`, also when it is not installed.
    #[must_use]
    pub fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skip("no openssl is installed");
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder of ours");
        let certificate = Self(folder);
        let mut request = Command::new("openssl");
        request.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        request.args(["-days", "2", "-subj", "/CN=a test", "-addext", "subjectAltName=IP:127.0.0.1"]);
        request.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(certificate.key());
        finish(request.arg("-out").arg(certificate.path()));
        Some(certificate)
    }

    /// The file with the certificate.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// The settings with which [`OwnServer::start_with`](super::OwnServer::start_with) makes a server that shows it.
    ///
    /// # Panics
    ///
    /// When the key cannot be given to the server's user.
    #[must_use]
    pub fn settings(&self, kind: TestDatabaseKind) -> Vec<String> {
        let (user, names) = match kind {
            TestDatabaseKind::Postgres => ("postgres", ["ssl_cert_file", "ssl_key_file"]),
            _ => ("mysql", ["ssl-cert", "ssl-key"]),
        };
        std::fs::set_permissions(self.key(), Permissions::from_mode(0o600)).expect("a file of ours");
        if is_root() {
            finish(Command::new("chown").arg(user).arg(self.key()));
        }
        let setting = |(name, path): (&str, &Path)| format!("{name}={}", path.display());
        let mut settings = vec![setting((names[0], &self.path())), setting((names[1], &self.key()))];
        if kind == TestDatabaseKind::Postgres {
            settings.push("ssl=on".to_owned());
        }
        settings
    }
}
