//! The tables that the migrations make, as they are after the last migration.

use crate::Part;
use crate::shape::{Column, ColumnKind, Table, UniqueKey};

pub(crate) const USERS_SINCE: &str = "m20261123_000001_users";
pub(crate) const BLACKLIST_SINCE: &str = "m20261123_000002_blacklist";
pub(crate) const PURGED_SINCE: &str = "m20261123_000003_blacklist_purged";
pub(crate) const ATTEMPTS_SINCE: &str = "m20261123_000004_attempts";
pub(crate) const LOSS_SINCE: &str = "m20261126_000005_blacklist_loss";
pub(crate) const SESSIONS_SINCE: &str = "m20261126_000006_sessions";
pub(crate) const ACCOUNTS_SINCE: &str = "m20261127_000007_accounts";
pub(crate) const LETTERS_SINCE: &str = "m20261127_000008_letters";
pub(crate) const ROLES_SINCE: &str = "m20261127_000009_roles";
pub(crate) const KEYS_SINCE: &str = "m20261127_000010_keys";
pub(crate) const CLIENTS_SINCE: &str = "m20261127_000011_clients";
pub(crate) const PERSONAL_TOKENS_SINCE: &str = "m20261127_000012_personal_tokens";
pub(crate) const PERSONAL_TOKEN_ROLES_SINCE: &str = "m20261127_000013_personal_token_roles";

pub(crate) static TABLES: [&Table; 11] = [
    &USERS,
    &BLACKLIST,
    &BLACKLIST_HEAD,
    &ATTEMPTS,
    &SESSIONS,
    &ONE_TIME_TOKENS,
    &LETTERS,
    &SIGNING_KEYS,
    &SIGNING_KEYS_HEAD,
    &CLIENTS,
    &PERSONAL_TOKENS,
];

pub(crate) static USERS: Table = Table {
    name: "users",
    part: Part::Users,
    since: USERS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, USERS_SINCE),
        column("email", ColumnKind::Text(254), USERS_SINCE),
        column("email_key", ColumnKind::Text(254), USERS_SINCE),
        column("username", ColumnKind::Text(200), USERS_SINCE),
        column("username_key", ColumnKind::Text(200), USERS_SINCE),
        column("password_hash", ColumnKind::Text(255), USERS_SINCE),
        column("admin", ColumnKind::Bool, USERS_SINCE),
        column("token_generation", ColumnKind::Big, USERS_SINCE),
        nullable("disabled_at", ColumnKind::Big, USERS_SINCE),
        column("registered_on", ColumnKind::Big, USERS_SINCE),
        column("email_verified", ColumnKind::Bool, ACCOUNTS_SINCE),
        nullable("last_login_at", ColumnKind::Big, ACCOUNTS_SINCE),
        // As many names as a user may have, each as long as it may be, with blanks between them.
        column("roles", ColumnKind::Text(2_079), ROLES_SINCE),
    ],
    primary: "id",
    unique: &[UniqueKey { columns: &["email_key"], or: None }, UniqueKey { columns: &["username_key"], or: None }],
};

pub(crate) static BLACKLIST: Table = Table {
    name: "blacklist",
    part: Part::Blacklist,
    since: BLACKLIST_SINCE,
    columns: &[
        column("position", ColumnKind::Big, BLACKLIST_SINCE),
        nullable("token_id", ColumnKind::Uuid, BLACKLIST_SINCE),
        nullable("user_id", ColumnKind::Uuid, BLACKLIST_SINCE),
        nullable("generation", ColumnKind::Big, BLACKLIST_SINCE),
        column("expires_at", ColumnKind::Big, BLACKLIST_SINCE),
        column("revoked_at", ColumnKind::Big, BLACKLIST_SINCE),
        column("reason", ColumnKind::Text(32), BLACKLIST_SINCE),
        column("mark", ColumnKind::Big, LOSS_SINCE),
    ],
    primary: "position",
    unique: &[
        UniqueKey { columns: &["expires_at", "token_id"], or: Some(&["token_id"]) },
        UniqueKey { columns: &["user_id", "generation"], or: None },
    ],
};

pub(crate) static BLACKLIST_HEAD: Table = Table {
    name: "blacklist_head",
    part: Part::Blacklist,
    since: BLACKLIST_SINCE,
    columns: &[
        column("id", ColumnKind::Small, BLACKLIST_SINCE),
        column("log_id", ColumnKind::Uuid, BLACKLIST_SINCE),
        column("position", ColumnKind::Big, BLACKLIST_SINCE),
        column("purged_tokens", ColumnKind::Big, PURGED_SINCE),
        column("purged_users", ColumnKind::Big, PURGED_SINCE),
        column("lost_at", ColumnKind::Big, LOSS_SINCE),
    ],
    primary: "id",
    unique: &[],
};

pub(crate) static ATTEMPTS: Table = Table {
    name: "attempts",
    part: Part::Attempts,
    since: ATTEMPTS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, ATTEMPTS_SINCE),
        column("failures", ColumnKind::Big, ATTEMPTS_SINCE),
        column("not_before", ColumnKind::Big, ATTEMPTS_SINCE),
        column("spent_until", ColumnKind::Big, ATTEMPTS_SINCE),
        column("known_until", ColumnKind::Big, ATTEMPTS_SINCE),
        column("expires_at", ColumnKind::Big, ATTEMPTS_SINCE),
    ],
    primary: "id",
    unique: &[],
};

pub(crate) static SESSIONS: Table = Table {
    name: "sessions",
    part: Part::Blacklist,
    since: SESSIONS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, SESSIONS_SINCE),
        column("user_id", ColumnKind::Uuid, SESSIONS_SINCE),
        column("generation", ColumnKind::Big, SESSIONS_SINCE),
        column("created_at", ColumnKind::Big, SESSIONS_SINCE),
        column("last_used_at", ColumnKind::Big, SESSIONS_SINCE),
        column("idle_until", ColumnKind::Big, SESSIONS_SINCE),
        column("ends_at", ColumnKind::Big, SESSIONS_SINCE),
        column("access_expires_at", ColumnKind::Big, SESSIONS_SINCE),
        column("needed_until", ColumnKind::Big, SESSIONS_SINCE),
        nullable("user_agent", ColumnKind::Text(256), SESSIONS_SINCE),
        nullable("network", ColumnKind::Text(64), SESSIONS_SINCE),
        nullable("family", ColumnKind::Text(64), SESSIONS_SINCE),
        nullable("current", ColumnKind::Text(64), SESSIONS_SINCE),
        nullable("previous", ColumnKind::Text(64), SESSIONS_SINCE),
        nullable("previous_salt", ColumnKind::Uuid, SESSIONS_SINCE),
        nullable("previous_used_at", ColumnKind::Big, SESSIONS_SINCE),
        nullable("ended_at", ColumnKind::Big, SESSIONS_SINCE),
        nullable("end_reason", ColumnKind::Text(32), SESSIONS_SINCE),
    ],
    primary: "id",
    unique: &[],
};

pub(crate) static ONE_TIME_TOKENS: Table = Table {
    name: "one_time_tokens",
    part: Part::Letters,
    since: LETTERS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, LETTERS_SINCE),
        column("digest", ColumnKind::Text(64), LETTERS_SINCE),
        nullable("code_hash", ColumnKind::Text(255), LETTERS_SINCE),
        column("purpose", ColumnKind::Text(32), LETTERS_SINCE),
        column("user_id", ColumnKind::Uuid, LETTERS_SINCE),
        nullable("sent_to", ColumnKind::Text(254), LETTERS_SINCE),
        nullable("sent_to_key", ColumnKind::Text(254), LETTERS_SINCE),
        column("created_at", ColumnKind::Big, LETTERS_SINCE),
        column("expires_at", ColumnKind::Big, LETTERS_SINCE),
        nullable("used_at", ColumnKind::Big, LETTERS_SINCE),
        nullable("nonce", ColumnKind::Uuid, LETTERS_SINCE),
    ],
    primary: "id",
    unique: &[UniqueKey { columns: &["digest"], or: None }],
};

pub(crate) static LETTERS: Table = Table {
    name: "letters",
    part: Part::Letters,
    since: LETTERS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, LETTERS_SINCE),
        column("user_id", ColumnKind::Uuid, LETTERS_SINCE),
        column("kind", ColumnKind::Text(32), LETTERS_SINCE),
        nullable("recipient", ColumnKind::Text(254), LETTERS_SINCE),
        column("username", ColumnKind::Text(200), LETTERS_SINCE),
        nullable("token", ColumnKind::Text(64), LETTERS_SINCE),
        nullable("code", ColumnKind::Text(16), LETTERS_SINCE),
        nullable("expires_at", ColumnKind::Big, LETTERS_SINCE),
        column("language", ColumnKind::Text(35), LETTERS_SINCE),
        column("created_at", ColumnKind::Big, LETTERS_SINCE),
        column("due_at", ColumnKind::Big, LETTERS_SINCE),
        nullable("lease", ColumnKind::Uuid, LETTERS_SINCE),
        column("attempts", ColumnKind::Big, LETTERS_SINCE),
    ],
    primary: "id",
    unique: &[],
};

pub(crate) static CLIENTS: Table = Table {
    name: "clients",
    part: Part::Blacklist,
    since: CLIENTS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, CLIENTS_SINCE),
        column("name", ColumnKind::Text(64), CLIENTS_SINCE),
        column("scopes", ColumnKind::Text(2100), CLIENTS_SINCE),
        column("generation", ColumnKind::Big, CLIENTS_SINCE),
        column("created_at", ColumnKind::Big, CLIENTS_SINCE),
        nullable("expires_at", ColumnKind::Big, CLIENTS_SINCE),
        nullable("disabled_at", ColumnKind::Big, CLIENTS_SINCE),
        nullable("last_used_at", ColumnKind::Big, CLIENTS_SINCE),
        column("secret", ColumnKind::Text(64), CLIENTS_SINCE),
        nullable("previous_secret", ColumnKind::Text(64), CLIENTS_SINCE),
        nullable("previous_until", ColumnKind::Big, CLIENTS_SINCE),
    ],
    primary: "id",
    unique: &[],
};

pub(crate) static PERSONAL_TOKENS: Table = Table {
    name: "personal_tokens",
    part: Part::Blacklist,
    since: PERSONAL_TOKENS_SINCE,
    columns: &[
        column("id", ColumnKind::Uuid, PERSONAL_TOKENS_SINCE),
        column("digest", ColumnKind::Text(64), PERSONAL_TOKENS_SINCE),
        column("user_id", ColumnKind::Uuid, PERSONAL_TOKENS_SINCE),
        column("name", ColumnKind::Text(64), PERSONAL_TOKENS_SINCE),
        column("scopes", ColumnKind::Text(2100), PERSONAL_TOKENS_SINCE),
        column("generation", ColumnKind::Big, PERSONAL_TOKENS_SINCE),
        column("created_at", ColumnKind::Big, PERSONAL_TOKENS_SINCE),
        column("expires_at", ColumnKind::Big, PERSONAL_TOKENS_SINCE),
        nullable("last_used_at", ColumnKind::Big, PERSONAL_TOKENS_SINCE),
        column("roles", ColumnKind::Text(2_079), PERSONAL_TOKEN_ROLES_SINCE),
    ],
    primary: "id",
    unique: &[UniqueKey { columns: &["digest"], or: None }],
};

pub(crate) static SIGNING_KEYS: Table = Table {
    name: "signing_keys",
    part: Part::Keys,
    since: KEYS_SINCE,
    columns: &[
        column("kid", ColumnKind::Text(64), KEYS_SINCE),
        column("algorithm", ColumnKind::Text(16), KEYS_SINCE),
        column("sealed", ColumnKind::Text(4096), KEYS_SINCE),
        column("public_jwk", ColumnKind::Text(4096), KEYS_SINCE),
        column("published_at", ColumnKind::Big, KEYS_SINCE),
        column("signs_from", ColumnKind::Big, KEYS_SINCE),
        nullable("signs_until", ColumnKind::Big, KEYS_SINCE),
        nullable("verifies_until", ColumnKind::Big, KEYS_SINCE),
        nullable("revoked_at", ColumnKind::Big, KEYS_SINCE),
    ],
    primary: "kid",
    unique: &[],
};

pub(crate) static SIGNING_KEYS_HEAD: Table = Table {
    name: "signing_keys_head",
    part: Part::Keys,
    since: KEYS_SINCE,
    columns: &[column("id", ColumnKind::Small, KEYS_SINCE), column("version", ColumnKind::Big, KEYS_SINCE)],
    primary: "id",
    unique: &[],
};

const fn column(name: &'static str, kind: ColumnKind, since: &'static str) -> Column {
    Column { name, kind, nullable: false, since }
}

const fn nullable(name: &'static str, kind: ColumnKind, since: &'static str) -> Column {
    Column { name, kind, nullable: true, since }
}
