//! How the connection to a server is encrypted, and the files with certificates and keys that a URL names.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::error::UrlError;
use super::query::Query;

/// How a connection is encrypted, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum TlsMode {
    /// In clear.
    Off,
    /// Encrypted where the server offers it; a man in the middle can take the offer away.
    Preferred,
    /// Encrypted, with whoever answers.
    Required,
    /// Encrypted, and the certificate is signed by a known authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate is that of the host.
    VerifyFull,
}

/// The options of one kind of database. Of several spellings of an option the first one is used in messages.
pub(super) struct TlsOptions {
    pub(super) mode: &'static [&'static str],
    pub(super) modes: &'static [(&'static str, TlsMode)],
    pub(super) root: &'static [&'static str],
    pub(super) certificate: &'static [&'static str],
    pub(super) key: &'static [&'static str],
}

/// What a URL says about TLS.
#[derive(Clone)]
pub(in super::super) struct Tls {
    pub(in super::super) mode: TlsMode,
    /// Whether the URL names a mode.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "variables overrule a URL on PostgreSQL alone"))]
    pub(super) has_mode: bool,
    /// The certificates of the authorities that may sign the server's.
    pub(super) root: Option<(&'static str, PathBuf)>,
    /// The certificate that the client shows, and its key.
    pub(super) client: Option<[(&'static str, PathBuf); 2]>,
}

/// What libpq calls the authorities that everybody trusts.
const PUBLIC_AUTHORITIES: &str = "system";

impl Tls {
    /// Takes the options. Naming the authorities asks for verification, as libpq and MySQL's own clients have it.
    pub(super) fn take(query: &mut Query, options: &TlsOptions) -> Result<Self, UrlError> {
        let asked = query.take_word(options.mode, options.modes)?;
        let root = take_file(query, options.root)?;
        let client = match (take_file(query, options.certificate)?, take_file(query, options.key)?) {
            (Some(certificate), Some(key)) => Some([certificate, key]),
            (None, None) => None,
            _ => {
                let (certificate, key) = (options.certificate[0], options.key[0]);
                return Err(UrlError::new(format!("the options {certificate} and {key} must be given together")));
            }
        };
        let public = root.as_ref().is_some_and(|(_, path)| path == Path::new(PUBLIC_AUTHORITIES));
        let (mode, root) = if public {
            (options.with_public_authorities(asked)?, None)
        } else {
            (options.decide(asked, root.is_some())?, root)
        };
        Ok(Self { mode, has_mode: asked.is_some(), root, client })
    }

    pub(super) fn root(&self) -> Option<&Path> {
        self.root.as_ref().map(|(_, path)| path.as_path())
    }

    /// The certificate that the client shows, and its key.
    pub(super) fn client(&self) -> Option<(&Path, &Path)> {
        self.client.as_ref().map(|[(_, certificate), (_, key)]| (certificate.as_path(), key.as_path()))
    }

    /// Looks whether the files can be read and hold what they should: a file without a certificate would add no authority,
    /// and the driver would say nothing.
    pub(super) fn check_files(&self) -> Result<(), UrlError> {
        if let Some((option, path)) = &self.root {
            check(option, path, "BEGIN CERTIFICATE", "a PEM certificate")?;
        }
        if let Some([(certificate, certificate_path), (key, key_path)]) = &self.client {
            check(certificate, certificate_path, "BEGIN CERTIFICATE", "a PEM certificate")?;
            check(key, key_path, "PRIVATE KEY", "a PEM private key")?;
        }
        Ok(())
    }
}

impl TlsOptions {
    fn decide(&self, asked: Option<TlsMode>, has_root: bool) -> Result<TlsMode, UrlError> {
        let (mode, root) = (self.mode[0], self.root[0]);
        match (asked, has_root) {
            (None | Some(TlsMode::Required), true) => Ok(TlsMode::VerifyCa),
            (Some(TlsMode::Off | TlsMode::Preferred), true) => {
                let stricter = [TlsMode::VerifyCa, TlsMode::VerifyFull].map(|mode| self.word(mode)).join(" or ");
                Err(UrlError::new(format!("with {root} the option {mode} must be {stricter}, or be left out")))
            }
            // The driver would take a certificate of any public authority for any name.
            (Some(TlsMode::VerifyCa), false) => {
                let (ca, full) = (self.word(TlsMode::VerifyCa), self.word(TlsMode::VerifyFull));
                Err(UrlError::new(format!("{mode}={ca} needs {root}; without it use {mode}={full}")))
            }
            (asked, _) => Ok(asked.unwrap_or(TlsMode::Preferred)),
        }
    }

    fn with_public_authorities(&self, asked: Option<TlsMode>) -> Result<TlsMode, UrlError> {
        match asked {
            None | Some(TlsMode::VerifyFull) => Ok(TlsMode::VerifyFull),
            Some(_) => {
                let (mode, root, full) = (self.mode[0], self.root[0], self.word(TlsMode::VerifyFull));
                Err(UrlError::new(format!("with {root}={PUBLIC_AUTHORITIES} the option {mode} must be {full}")))
            }
        }
    }

    fn word(&self, mode: TlsMode) -> &'static str {
        self.modes.iter().find(|(_, meaning)| *meaning == mode).map_or("", |(word, _)| word)
    }
}

fn take_file(query: &mut Query, spellings: &[&'static str]) -> Result<Option<(&'static str, PathBuf)>, UrlError> {
    match query.take(spellings)? {
        Some(path) if path.is_empty() => Err(UrlError::new(format!("the option {} must name a file", spellings[0]))),
        path => Ok(path.map(|path| (spellings[0], PathBuf::from(path)))),
    }
}

fn check(option: &str, path: &Path, label: &str, content: &str) -> Result<(), UrlError> {
    let bytes =
        Zeroizing::new(std::fs::read(path).map_err(|error| {
            UrlError::new(format!("the file of the option {option} cannot be read: {}", error.kind()))
        })?);
    let lines = || bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    if lines().any(|line| line.starts_with(b"-----BEGIN ENCRYPTED") || line == b"Proc-Type: 4,ENCRYPTED") {
        let rule =
            "the key of the option {option} is encrypted, and nobody is there to type its passphrase; decrypt it";
        return Err(UrlError::new(rule.replace("{option}", option)));
    }
    let ending = format!("{label}-----");
    if lines().any(|line| line.starts_with(b"-----BEGIN ") && line.ends_with(ending.as_bytes())) {
        Ok(())
    } else {
        Err(UrlError::new(format!("the file of the option {option} must contain {content}")))
    }
}
