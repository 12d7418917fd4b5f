//! Names of the tables in the database.

use auth_migrations::{Migrations, Prefix, Schema};
use auth_storage::DatabaseKind;

use super::parse::Reader;
use super::{DatabaseUrl, Setting};

/// Value of the setting for tables without a prefix; it could not be given otherwise, as an empty value is no value.
const NO_PREFIX: &str = "none";

impl Reader {
    pub(super) fn tables(&mut self, url: &DatabaseUrl) -> Migrations {
        let setting = Setting::DatabaseTablePrefix;
        let show = |prefix: &Option<Prefix>| match prefix.as_ref().map(Prefix::as_str) {
            None => "<that of the existing tables; auth_ in a new database>".to_owned(),
            Some("") => NO_PREFIX.to_owned(),
            Some(prefix) => prefix.to_owned(),
        };
        let prefix = self.take_shown(setting, None, show, |text| {
            let prefix = if text == NO_PREFIX { "" } else { text };
            Prefix::parse(prefix).map(Some).map_err(|error| error.to_string())
        });
        let setting = Setting::DatabaseSchema;
        let show =
            |schema: &Option<Schema>| schema.as_ref().map_or_else(String::new, |schema| schema.as_str().to_owned());
        let schema = self
            .take_shown(setting, None, show, |text| Schema::parse(text).map(Some).map_err(|error| error.to_string()));
        if schema.is_some() && url.kind() != DatabaseKind::Postgres {
            self.problem(setting, "must not be set unless the database is PostgreSQL: only that has schemas");
        }
        let migrations = Migrations::new();
        let migrations = prefix.into_iter().fold(migrations, Migrations::prefix);
        schema.into_iter().fold(migrations, Migrations::schema)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Problems, Sources};

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
        let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(Sources { env, ..Sources::default() })
    }

    #[test]
    fn a_prefix_or_a_schema_that_breaks_its_rule_is_a_problem_of_its_variable() {
        let postgres = ("AUTH_DATABASE_URL", "postgres://u@h/d");
        for good in ["auth_", "none", "login"] {
            load(&[("AUTH_DATABASE_TABLE_PREFIX", good)]).unwrap();
            load(&[("AUTH_DATABASE_SCHEMA", good), postgres]).unwrap();
        }
        for (variable, bad) in [
            ("AUTH_DATABASE_TABLE_PREFIX", "Auth_"),
            ("AUTH_DATABASE_TABLE_PREFIX", "a\"; DROP TABLE users"),
            ("AUTH_DATABASE_TABLE_PREFIX", "a_prefix_that_is_much_too_long"),
            ("AUTH_DATABASE_SCHEMA", "pg_catalog"),
            ("AUTH_DATABASE_SCHEMA", "a.b"),
        ] {
            let problems = load(&[(variable, bad), postgres]).unwrap_err();
            let variables: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
            assert_eq!(variables, [variable], "{bad}");
            assert!(!problems.to_string().contains(bad), "{problems}");
        }
        let problems = load(&[("AUTH_DATABASE_SCHEMA", "auth")]).unwrap_err();
        assert!(problems.to_string().contains("AUTH_DATABASE_SCHEMA: must not be set unless"), "{problems}");
    }
}
