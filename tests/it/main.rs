//! Stories through the server's real door: a socket. Each on a database of its own, each on every kind of database.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod account;
mod admins;
mod change_of_address;
mod cookie;
mod cors;
mod email_spellings;
mod feed;
mod following;
mod forgotten_password;
mod framework_errors;
mod keys;
mod log;
mod login;
mod logout;
mod metrics;
mod oauth;
mod openapi;
mod pages;
mod paging;
mod password_change;
mod personal_tokens;
mod protected;
mod query;
mod refresh;
mod register;
mod request_head;
mod roles;
mod secrets;
mod sessions;
mod throttle;
mod tokens;
mod upgrade;
mod verification;
