//! Rows as the database has them. They never leave this crate.

pub(crate) mod attempts;
pub(crate) mod blacklist;
pub(crate) mod blacklist_head;
pub(crate) mod clients;
pub(crate) mod letters;
pub(crate) mod one_time_tokens;
pub(crate) mod personal_tokens;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod signing_keys_head;
pub(crate) mod users;
