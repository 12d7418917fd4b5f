//! Names of the tables, which differ from one database to another.

use std::fmt;
use std::sync::Arc;

use sea_orm::sea_query::{DynIden, Expr, IntoIden as _, SchemaName, TableName, TableRef};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, DeleteMany, EntityTrait, FromQueryResult as _, InsertMany,
    QueryTrait as _, Select, UpdateMany,
};

use crate::entity::{
    attempts, blacklist, blacklist_head, clients, letters, one_time_tokens, personal_tokens, sessions, signing_keys,
    signing_keys_head, users,
};

/// Prefix of the table names unless a [`Database`](crate::Database) is told otherwise, as `auth-migrations` gives it to the tables of a
/// new database.
const DEFAULT_PREFIX: &str = "auth_";

/// Names of the tables in one database: a prefix, and a schema on PostgreSQL. Cheap to clone.
///
/// `auth-migrations` makes the tables and says where they are: `Tables::new(layout.prefix(), layout.schema())`. The default is
/// the prefix `auth_` in the schema that the connection uses, as in a new database.
#[derive(Clone, PartialEq, Eq)]
pub struct Tables(Arc<Names>);

#[derive(PartialEq, Eq)]
struct Names {
    users: TableName,
    blacklist: TableName,
    blacklist_head: TableName,
    attempts: TableName,
    sessions: TableName,
    clients: TableName,
    personal_tokens: TableName,
    one_time_tokens: TableName,
    letters: TableName,
    signing_keys: TableName,
    signing_keys_head: TableName,
}

impl Tables {
    /// Tables whose names begin with `prefix`, which may be empty, in `schema`. Without a schema their names stand alone in every
    /// statement, and on PostgreSQL the `search_path` of the connection decides. Both are quoted, so they may hold any
    /// character; a table that is not there is an error of the first statement.
    #[must_use]
    pub fn new(prefix: &str, schema: Option<&str>) -> Self {
        let name = |table: &str| {
            let schema = schema.map(|schema| SchemaName(None, schema.to_owned().into_iden()));
            TableName(schema, format!("{prefix}{table}").into_iden())
        };
        Self(Arc::new(Names {
            users: name("users"),
            blacklist: name("blacklist"),
            blacklist_head: name("blacklist_head"),
            attempts: name("attempts"),
            sessions: name("sessions"),
            clients: name("clients"),
            personal_tokens: name("personal_tokens"),
            one_time_tokens: name("one_time_tokens"),
            letters: name("letters"),
            signing_keys: name("signing_keys"),
            signing_keys_head: name("signing_keys_head"),
        }))
    }

    /// The table itself, for an `INSERT`, a `DELETE` or a statement that names no table before its columns.
    pub(crate) fn of<E: Stored>(&self) -> TableRef {
        TableRef::Table(E::name_in(self).clone(), None)
    }

    /// The table under the name that its entity has at compile time. SeaORM writes that before the names of columns.
    fn aliased<E: Stored>(&self) -> TableRef {
        TableRef::Table(E::name_in(self).clone(), Some(E::default().into_iden()))
    }

    /// The name of the table without its schema, to stand before a column.
    pub(crate) fn name_of<E: Stored>(&self) -> DynIden {
        E::name_in(self).1.clone()
    }

    pub(crate) fn find<E: Stored>(&self) -> Select<E> {
        let mut select = E::find();
        select.query().from_clear().from(self.aliased::<E>());
        select
    }

    pub(crate) fn update_many<E: Stored>(&self) -> UpdateMany<E> {
        let mut update = E::update_many();
        update.query().table(self.aliased::<E>());
        update
    }

    /// An update that sets a time to `at`, unless it is set to a later one.
    pub(crate) fn move_forward<E: Stored>(&self, column: E::Column, at: i64) -> UpdateMany<E> {
        let is_later = Condition::any().add(column.is_null()).add(column.lt(at));
        sea_orm::QueryFilter::filter(self.update_many::<E>().col_expr(column, Expr::value(at)), is_later)
    }

    /// A deletion, whose conditions name columns alone ([`Expr::col`](sea_orm::sea_query::Expr::col)): MariaDB before 11.6 knows no
    /// alias there.
    pub(crate) fn delete_many<E: Stored>(&self) -> DeleteMany<E> {
        let mut deletion = E::delete_many();
        deletion.query().from_table(self.of::<E>());
        deletion
    }

    pub(crate) fn insert_many<E: Stored>(
        &self,
        rows: impl IntoIterator<Item = E::ActiveModel>,
    ) -> InsertMany<E::ActiveModel> {
        let mut insertion = E::insert_many(rows);
        insertion.query().into_table(self.of::<E>());
        insertion
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new(DEFAULT_PREFIX, None)
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Names {
            users,
            blacklist,
            blacklist_head,
            attempts,
            sessions,
            clients,
            personal_tokens,
            one_time_tokens,
            letters,
            signing_keys,
            signing_keys_head,
        } = &*self.0;
        let names = [
            users,
            blacklist,
            blacklist_head,
            attempts,
            sessions,
            clients,
            personal_tokens,
            one_time_tokens,
            letters,
            signing_keys,
            signing_keys_head,
        ];
        let names = names.map(|TableName(schema, table)| match schema {
            Some(SchemaName(_, schema)) => format!("{schema}.{table}"),
            None => table.to_string(),
        });
        f.debug_tuple("Tables").field(&names).finish()
    }
}

/// Returns the row of a query that finds at most one by a unique key. The query gets no `LIMIT`, because SQLite plans a statement anew
/// whenever a value is bound to a parameter of its `LIMIT`.
pub(crate) async fn unique<E: EntityTrait>(
    query: Select<E>,
    connection: &impl ConnectionTrait,
) -> Result<Option<E::Model>, DbErr> {
    let row = connection.query_one(query.as_query()).await?;
    row.map(|row| E::Model::from_query_result(&row, "")).transpose()
}

/// An entity that is stored in one of the tables.
pub(crate) trait Stored: EntityTrait {
    fn name_in(tables: &Tables) -> &TableName;
}

impl Stored for users::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.users
    }
}

impl Stored for blacklist::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.blacklist
    }
}

impl Stored for blacklist_head::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.blacklist_head
    }
}

impl Stored for attempts::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.attempts
    }
}

impl Stored for sessions::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.sessions
    }
}

impl Stored for clients::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.clients
    }
}

impl Stored for personal_tokens::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.personal_tokens
    }
}

impl Stored for one_time_tokens::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.one_time_tokens
    }
}

impl Stored for letters::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.letters
    }
}

impl Stored for signing_keys::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.signing_keys
    }
}

impl Stored for signing_keys_head::Entity {
    fn name_in(tables: &Tables) -> &TableName {
        &tables.0.signing_keys_head
    }
}
