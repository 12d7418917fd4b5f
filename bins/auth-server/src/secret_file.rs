//! The secret of the development profile: made once, kept in a file that only its owner can read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::config::Secret;

/// Random bytes in a secret. In the file they are twice as many hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// A new random secret.
///
/// # Errors
///
/// When the operating system has no randomness to give.
pub fn random_secret() -> Result<Secret, getrandom::Error> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random)?;
    let digits =
        random.iter().fold(String::with_capacity(2 * SECRET_BYTES), |digits, byte| digits + &format!("{byte:02x}"));
    Ok(Secret::new(digits))
}

/// Makes the data directory if it is absent, for its owner only.
///
/// # Errors
///
/// When it cannot be made.
pub fn create_data_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Reads the secret at `path`, and makes it first if it is absent. Of several processes that start at once one makes
/// it and all read the same: the file appears under its name only when it is complete.
///
/// # Errors
///
/// When it cannot be made or read, or is empty.
pub fn read_or_create(path: &Path) -> io::Result<Secret> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        outcome => return outcome,
    }
    if let Some(directory) = path.parent() {
        create_data_dir(directory)?;
    }
    let secret = random_secret()?;
    let draft =
        path.with_extension(format!("draft-{}", String::from_utf8_lossy(&random_secret()?.expose_secret()[..16])));
    write_new(&draft, secret.expose_secret())?;
    // A hard link is made only where nothing is yet, so whoever comes second reads what the first one made.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    read(path)
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

fn read(path: &Path) -> io::Result<Secret> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(256);
    file.read_to_end(&mut bytes)?;
    let secret = Secret::new(bytes.trim_ascii());
    zeroize::Zeroize::zeroize(&mut bytes);
    if secret.expose_secret().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
    }
    warn_if_others_can_read(&file, path)?;
    Ok(secret)
}

#[cfg(unix)]
fn warn_if_others_can_read(file: &File, path: &Path) -> io::Result<()> {
    let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?);
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "the secret can be read by others; chmod it to 600");
    }
    Ok(())
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_can_read_it() {
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
    fn an_empty_file_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token-secret");
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(read_or_create(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
