//! SQLite: `sqlite:path?option=value` with one or two slashes more or none.
//!
//! SQLite itself treats some file names in a special way: an empty name and `:memory:` are databases that end with the
//! connection, and a name that begins with `file:` is a URI with options of its own, among them `mode=memory`. So each name
//! is decided upon here, decoded, and reaches SQLite as a plain path.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;

use super::super::error::UrlError;
use super::query::{Query, decode};

/// A SQLite database.
#[derive(Clone)]
pub(in super::super) enum SqliteUrl {
    /// In memory. With a name and a shared cache it is the same database for all who use the name in this process.
    Memory {
        name: String,
        shared_cache: bool,
    },
    File(SqliteFile),
}

/// A SQLite file, and how it is opened.
#[derive(Clone)]
pub(in super::super) struct SqliteFile {
    path: PathBuf,
    mode: Mode,
    shared_cache: bool,
    immutable: bool,
    vfs: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    ReadOnly,
    ReadWrite,
    Create,
    Memory,
}

impl SqliteUrl {
    pub(super) fn parse(rest: &str) -> Result<Self, UrlError> {
        if rest.contains('#') {
            return Err(UrlError::new("it must not contain #; in a path write %23"));
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = plain_path(path)?;
        let mut query = Query::parse(query)?;
        let modes = [("ro", Mode::ReadOnly), ("rw", Mode::ReadWrite), ("rwc", Mode::Create), ("memory", Mode::Memory)];
        let mode = query.take_word(&["mode"], &modes)?;
        let shared_cache = query.take_word(&["cache"], &[("private", false), ("shared", true)])?;
        let switch = [("true", true), ("1", true), ("false", false), ("0", false)];
        let immutable = query.take_word(&["immutable"], &switch)?.unwrap_or(false);
        let vfs = query.take(&["vfs"])?;
        query.finish("SQLite", "mode, cache, immutable and vfs", |_| None)?;
        if vfs.as_deref() == Some("memdb") {
            return Err(UrlError::new("vfs=memdb keeps nothing; a database in memory is sqlite::memory:"));
        }
        if path == MEMORY {
            return Ok(Self::memory());
        }
        if mode == Some(Mode::Memory) {
            return Ok(Self::Memory { name: path, shared_cache: shared_cache.unwrap_or(true) });
        }
        if path.is_empty() {
            return Err(UrlError::new("it names no file"));
        }
        Ok(Self::File(SqliteFile {
            path: PathBuf::from(path),
            mode: mode.unwrap_or(Mode::ReadWrite),
            shared_cache: shared_cache.unwrap_or(false),
            immutable,
            vfs,
        }))
    }

    pub(super) fn file(path: &Path) -> Self {
        let path = path.to_owned();
        Self::File(SqliteFile { path, mode: Mode::ReadWrite, shared_cache: false, immutable: false, vfs: None })
    }

    pub(super) fn memory() -> Self {
        Self::Memory { name: String::new(), shared_cache: true }
    }

    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory { .. })
    }

    pub(in super::super) fn is_read_only(&self) -> bool {
        matches!(self, Self::File(file) if file.mode == Mode::ReadOnly || file.immutable)
    }

    pub(super) fn vfs(&self) -> Option<&str> {
        match self {
            Self::Memory { .. } => None,
            Self::File(file) => file.vfs.as_deref(),
        }
    }

    /// What the driver is told. Each call without a name in memory is another database.
    pub(in super::super) fn options(&self) -> Result<SqliteConnectOptions, sqlx::Error> {
        match self {
            Self::Memory { name, .. } if name.is_empty() => "sqlite::memory:".parse(),
            Self::Memory { name, shared_cache } => {
                Ok(SqliteConnectOptions::new().filename(name).in_memory(true).shared_cache(*shared_cache))
            }
            Self::File(file) => Ok(file.options()),
        }
    }
}

impl SqliteFile {
    fn options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .filename(literal(&self.path))
            .read_only(self.mode == Mode::ReadOnly)
            .create_if_missing(self.mode == Mode::Create)
            .shared_cache(self.shared_cache)
            .immutable(self.immutable);
        match &self.vfs {
            Some(vfs) => options.vfs(vfs.clone()),
            None => options,
        }
    }
}

const MEMORY: &str = ":memory:";
const URI: &str = "file:";

/// The decoded path. SQLite's own URIs are accepted where they say no more than a path does.
fn plain_path(path: &str) -> Result<String, UrlError> {
    let Some(uri) = path.strip_prefix(URI) else {
        let path = decode(path)?;
        return if path.starts_with(URI) {
            Err(UrlError::new("a path that begins with file: must be written ./file:"))
        } else {
            Ok(path)
        };
    };
    let path = match uri.strip_prefix("//") {
        Some(rest) => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if !path.starts_with('/') {
                return Err(UrlError::new("after file:// must follow an absolute path"));
            }
            path
        }
        None => uri,
    };
    let path = decode(path)?;
    // SQLite would decode a second time and read options out of what it gets.
    if path.contains(['%', '?', '#']) || path.starts_with(URI) {
        return Err(UrlError::new("a path with % ? or # must be written without file:"));
    }
    Ok(path)
}

/// A path that SQLite takes literally.
fn literal(path: &Path) -> PathBuf {
    let special = path.to_str().is_some_and(|text| text.starts_with(URI) || text == MEMORY);
    if special { Path::new(".").join(path) } else { path.to_owned() }
}

/// What would be read as something else in a URL.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

impl fmt::Display for SqliteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { .. } => f.write_str("sqlite::memory:"),
            Self::File(file) => {
                let path = file.path.to_string_lossy();
                write!(f, "sqlite://{}", utf8_percent_encode(&path, ENCODED))
            }
        }
    }
}
