//! Certificates for the SMTP server of the tests, signed by themselves.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::sink::skip;

/// A certificate with its key.
pub(super) struct Certificate(TempDir);

impl Certificate {
    /// Makes a certificate for a subject such as `IP:127.0.0.1`. `None`, after a line that says so, where no `openssl` is installed.
    pub(super) fn of(subject: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skip("no openssl is installed");
            return None;
        }
        let certificate = Self(TempDir::new().unwrap());
        let mut request = Command::new("openssl");
        request.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        request.args(["-days", "2", "-subj", "/CN=a test", "-addext"]).arg(format!("subjectAltName={subject}"));
        request.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(certificate.key());
        request.arg("-out").arg(certificate.path());
        let output = request.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(certificate)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// The options with which the server shows the certificate.
    pub(super) fn options(&self) -> Vec<String> {
        let option = |name: &str, path: PathBuf| [name.to_owned(), path.to_str().unwrap().to_owned()];
        [option("--certificate", self.path()), option("--key", self.key())].concat()
    }
}
