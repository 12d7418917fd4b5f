//! The secret of the development profile: created once, in a file that only its owner can read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use time::{OffsetDateTime, UtcOffset};

use crate::config::{Secret, bytes_of};

/// Number of random bytes in a secret. The file has twice as many hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// Returns a new random secret.
///
/// # Errors
///
/// The operating system provides no randomness.
pub fn random_secret() -> Result<Secret, getrandom::Error> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random)?;
    let digits =
        random.iter().fold(String::with_capacity(2 * SECRET_BYTES), |digits, byte| digits + &format!("{byte:02x}"));
    Ok(Secret::new(digits))
}

/// Creates the data directory if it is absent, with access for its owner only.
///
/// # Errors
///
/// It cannot be created.
pub fn create_data_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Reads the secret at `path`, and creates it first if it is absent. If several processes start at once, one creates it and all read
/// the same: the file appears under its name only when it is complete.
///
/// # Errors
///
/// It cannot be created or read, or is empty.
pub fn read_or_create(path: &Path) -> io::Result<Secret> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        outcome => return outcome,
    }
    if let Some(directory) = path.parent() {
        create_data_dir(directory)?;
    }
    let draft = draft_of_new(path)?;
    // Creating a hard link fails if the name exists. So the second process reads the secret of the first.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    read(path)
}

/// Replaces the secret at `path` with a new one in one atomic step, and keeps the old one beside it under a name with the time `now`.
/// Returns that name.
///
/// # Errors
///
/// There is no secret yet, another one was retired within the same second, or the files cannot be written. The old secret is then
/// still in its place.
pub fn retire(path: &Path, now: OffsetDateTime) -> io::Result<PathBuf> {
    let now = now.to_offset(UtcOffset::UTC);
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second) = now.to_hms();
    let time = format!("{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month));
    let aside = path.with_extension(format!("retired-{time}"));
    let draft = draft_of_new(path)?;
    // Creating a hard link fails if the name exists, so no retired secret is overwritten.
    if let Err(error) = std::fs::hard_link(path, &aside).and_then(|()| std::fs::rename(&draft, path)) {
        // An error of removing the draft is less important than the first one.
        let _ = std::fs::remove_file(&draft);
        return Err(error);
    }
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(aside)
}

/// Writes a new secret to a file of its own beside `path`, and to disk. Returns the name of the file.
fn draft_of_new(path: &Path) -> io::Result<PathBuf> {
    let (secret, name) = (random_secret()?, random_secret()?);
    let draft = path.with_extension(format!("draft-{}", String::from_utf8_lossy(&name.expose_secret()[..16])));
    write_new(&draft, secret.expose_secret())?;
    Ok(draft)
}

fn write_new(path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(secret)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Reads the secret at `path`.
///
/// # Errors
///
/// It cannot be read, is not text, or is empty.
pub fn read(path: &Path) -> io::Result<Secret> {
    let mut bytes = bytes_of(path)?;
    let secret = Secret::parse(&bytes);
    zeroize::Zeroize::zeroize(&mut bytes);
    let secret = secret.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    warn_if_others_can_read(path)?;
    Ok(secret)
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path) -> io::Result<()> {
    let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata()?);
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "the secret can be read by others; chmod it to 600");
    }
    Ok(())
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_created_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/token-secret");
        let first = read_or_create(&path).unwrap();
        assert_eq!(first.expose_secret().len(), 2 * SECRET_BYTES);
        assert_eq!(read_or_create(&path).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
            assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
        }
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn processes_that_start_at_once_share_one_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token-secret");
        let secrets: Vec<Secret> = std::thread::scope(|scope| {
            let starters: Vec<_> = (0..16).map(|_| scope.spawn(|| read_or_create(&path).unwrap())).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_retired_secret_is_kept_aside_and_a_new_one_is_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token-secret");
        let now = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
        assert_eq!(retire(&path, now).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0, "no draft is left behind");

        let old = read_or_create(&path).unwrap();
        let aside = retire(&path, now).unwrap();
        assert_eq!(aside, dir.path().join("token-secret.retired-20260921T141320Z"));
        let new = read_or_create(&path).unwrap();
        assert!(new != old && new.expose_secret().len() == 2 * SECRET_BYTES);
        assert_eq!(read(&aside).unwrap(), old);
        #[cfg(unix)]
        for file in [&path, &aside] {
            assert_eq!(std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap()) & 0o777, 0o600);
        }
        assert_eq!(retire(&path, now).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((read(&path).unwrap(), read(&aside).unwrap()), (new, old), "nothing was overwritten");
        assert_eq!(dir.path().read_dir().unwrap().count(), 2, "no draft is left behind");
    }

    #[test]
    fn an_empty_file_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token-secret");
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(read_or_create(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
