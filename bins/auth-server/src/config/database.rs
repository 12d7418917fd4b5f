//! Where the database is.

use std::path::{Path, PathBuf};

use auth_storage::{ConnectError, DatabaseUrl};

use super::parse::Reader;
use super::{Origin, Profile, Setting};

impl Reader {
    /// A path is taken as it is: blanks at its ends belong to it.
    pub(super) fn data_dir(&mut self) -> PathBuf {
        let (path, origin) = match self.raw(Setting::DataDir) {
            Some((path, origin)) => (PathBuf::from(path), origin),
            None => (PathBuf::from("./data"), Origin::Default),
        };
        self.show(Setting::DataDir, path.display().to_string(), origin);
        path
    }

    /// The database, and whether it is in the data directory.
    pub(super) fn database(&mut self, profile: Profile, data_dir: &Path) -> (DatabaseUrl, bool) {
        let setting = Setting::DatabaseUrl;
        let default = match profile {
            Profile::Dev | Profile::Prod => DatabaseUrl::sqlite_file(data_dir.join("auth.db")),
            Profile::Test => DatabaseUrl::sqlite_in_memory(),
        };
        let (url, origin) = if let Some((text, origin)) = self.raw(setting) {
            let url = self.parse_url(text.trim(), profile).unwrap_or_else(|rule| {
                self.problem(setting, rule);
                default
            });
            (url, origin)
        } else {
            if profile == Profile::Prod {
                self.problem(setting, "must be set in the prod profile");
            }
            (default, Origin::Default)
        };
        self.show(setting, url.to_string(), origin);
        (url, origin == Origin::Default && profile == Profile::Dev)
    }

    fn parse_url(&self, text: &str, profile: Profile) -> Result<DatabaseUrl, String> {
        let checked = DatabaseUrl::parse_with_env(text, |name| self.variable(name).map(str::to_owned));
        let checked = checked.and_then(|url| url.check_files().map(|()| url));
        let url = checked.map_err(|error| match error {
            ConnectError::UnknownScheme => "must be a URL that begins with sqlite:, postgres:// or mysql://".to_owned(),
            ConnectError::InvalidUrl(rule) => rule.to_string(),
            other => other.to_string(),
        })?;
        if url.is_read_only() {
            return Err("must not be read-only: a server writes (mode=ro, immutable)".to_owned());
        }
        if profile == Profile::Prod && url.is_in_memory() {
            return Err("must not be an in-memory database in the prod profile".to_owned());
        }
        if profile == Profile::Prod && url.has_custom_vfs() {
            return Err("must not name a vfs in the prod profile: what is kept depends on the default one".to_owned());
        }
        Ok(url)
    }
}
