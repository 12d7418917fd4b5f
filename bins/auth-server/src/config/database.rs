//! Settings of the database.

use std::path::{Path, PathBuf};

use auth_migrations::{Migrations, Prefix, Schema};
use auth_storage::{ConnectError, DatabaseKind, DatabaseUrl};

use super::profile::Profile;
use super::reader::Reader;
use super::setting::{Declaration, Form, Rule, Section, Setting};
use super::sources::Origin;

pub(super) static SECTION: Section =
    Section { title: "Database", settings: &[&DATA_DIR, &DATABASE_URL, &TABLE_PREFIX, &SCHEMA, &MIGRATE] };

pub(crate) static DATA_DIR: Declaration = Declaration {
    meaning: "the folder where the `dev` profile keeps its database (`auth.db`) and its secret (`token-secret`)",
    values: "a path",
    details: "It is a path and not a part of a URL, so nothing in it is encoded. White space at its ends belongs to it.",
    default_text: Some("`./data`"),
    ..Declaration::new("AUTH_DATA_DIR")
};

static DATABASE_URL: Declaration = Declaration {
    meaning: "the database",
    values: "`sqlite://path`, `postgres://user:password@host/name` or `mysql://user:password@host/name`",
    details: "The options of each database are in [Database URLs](OPERATIONS.md#database-urls).",
    default_text: Some("`dev`: a SQLite file in the data folder; `test`: SQLite in memory; `prod`: none, must be set"),
    form: Form::Secret { file_variable: "AUTH_DATABASE_URL_FILE" },
    ..Declaration::new("AUTH_DATABASE_URL")
};

/// Value of [`TABLE_PREFIX`] for tables without a prefix. An empty value would count as not set.
const NO_PREFIX: &str = "none";

static TABLE_PREFIX: Setting<Option<Prefix>> = Setting {
    declaration: Declaration {
        meaning: "text before the name of every table",
        values: "at most 24 lower-case letters, digits and `_`, or `none` for no prefix",
        details: "The first character is no digit, and the prefix does not begin with `pg_` or `sqlite_`. See [Names of the \
                  tables](OPERATIONS.md#names-of-the-tables).",
        default_text: Some("that of the existing tables; `auth_` in a new database"),
        ..Declaration::new("AUTH_DATABASE_TABLE_PREFIX")
    },
    default: |_| None,
    parse: |text, _| {
        let prefix = if text == NO_PREFIX { "" } else { text };
        Prefix::parse(prefix).map(Some).map_err(|error| error.to_string().into())
    },
    show: |prefix| match prefix.as_ref().map(Prefix::as_str) {
        None => "<that of the existing tables; auth_ in a new database>".to_owned(),
        Some("") => NO_PREFIX.to_owned(),
        Some(prefix) => prefix.to_owned(),
    },
};

static SCHEMA: Setting<Option<Schema>> = Setting {
    declaration: Declaration {
        meaning: "the schema of the tables on PostgreSQL",
        values: "1 to 63 letters, digits, `_` and `-`; upper and lower case differ",
        details: "It must not be set for other databases. `migrate up` creates it if it is absent. New tables in it have no \
                  prefix unless one is set.",
        default_text: Some("the first schema of the `search_path`"),
        ..Declaration::new("AUTH_DATABASE_SCHEMA")
    },
    default: |_| None,
    parse: |text, _| Schema::parse(text).map(Some).map_err(|error| error.to_string().into()),
    show: |schema| schema.as_ref().map_or_else(String::new, |schema| schema.as_str().to_owned()),
};

pub(crate) static MIGRATE: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether pending migrations are applied at start",
        details: "Where it is off, run `auth-server migrate up`.",
        ..Declaration::new("AUTH_MIGRATE")
    },
    |profile| !matches!(profile, Profile::Prod),
);

impl Reader {
    pub(super) fn data_dir(&mut self) -> PathBuf {
        let (path, origin) = match self.text(&DATA_DIR) {
            Some((path, origin)) => (PathBuf::from(path), origin),
            None => (PathBuf::from("./data"), Origin::Default),
        };
        self.show(DATA_DIR.variable, path.display().to_string(), origin);
        path
    }

    /// Reads the URL of the database, and whether the database is in the data directory.
    pub(super) fn database(&mut self, profile: Profile, data_dir: &Path) -> (DatabaseUrl, bool) {
        let variable = DATABASE_URL.variable;
        let default = match profile {
            Profile::Dev | Profile::Prod => DatabaseUrl::sqlite_file(data_dir.join("auth.db")),
            Profile::Test => DatabaseUrl::sqlite_in_memory(),
        };
        let (url, origin) = if let Some((text, origin)) = self.text(&DATABASE_URL) {
            let url = self.parse_url(text.trim(), profile).unwrap_or_else(|rule| {
                self.problem(variable, rule);
                default
            });
            (url, origin)
        } else {
            if profile == Profile::Prod {
                self.problem(variable, "must be set in the prod profile");
            }
            (default, Origin::Default)
        };
        self.show(variable, url.to_string(), origin);
        (url, origin == Origin::Default && profile == Profile::Dev)
    }

    fn parse_url(&self, text: &str, profile: Profile) -> Result<DatabaseUrl, Rule> {
        let checked = DatabaseUrl::parse_with_env(text, |name| self.sources.variable(name).map(str::to_owned));
        let checked = checked.and_then(|url| url.check_files().map(|()| url));
        let url = checked.map_err(|error| match error {
            ConnectError::UnknownScheme => "must be a URL that begins with sqlite:, postgres:// or mysql://".into(),
            ConnectError::InvalidUrl(rule) => Rule::from(rule.to_string()),
            other => other.to_string().into(),
        })?;
        if url.is_read_only() {
            return Err("must not be read-only: a server writes (mode=ro, immutable)".into());
        }
        if profile == Profile::Prod && url.is_in_memory() {
            return Err("must not be an in-memory database in the prod profile".into());
        }
        if profile == Profile::Prod && url.has_custom_vfs() {
            return Err("must not name a vfs in the prod profile: what is kept depends on the default one".into());
        }
        Ok(url)
    }

    /// Reads where the tables are. Returns the migrations for that place.
    pub(super) fn tables(&mut self, profile: Profile, url: &DatabaseUrl) -> Migrations {
        let prefix = self.read(&TABLE_PREFIX, profile);
        let schema = self.read(&SCHEMA, profile);
        if schema.is_some() && url.kind() != DatabaseKind::Postgres {
            let rule = "must not be set unless the database is PostgreSQL: only that has schemas";
            self.problem(SCHEMA.variable(), rule);
        }
        let migrations = Migrations::new();
        let migrations = prefix.into_iter().fold(migrations, Migrations::prefix);
        schema.into_iter().fold(migrations, Migrations::schema)
    }
}
