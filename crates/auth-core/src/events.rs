//! Events for `tracing`, where the feature of that name is on. Without it every function here does nothing.
//!
//! No event has an e-mail address, a token, a password or a hash in it.
#![cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "without the feature nothing is reported"))]

use std::fmt::Display;
use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{ClientId, LetterId, PersonalTokenId, SessionId, UserId};
use crate::one_time::OneTimeTokenPurpose;

/// Reports the outcome of a login, after the attempt was admitted.
pub(crate) fn login<E: Display>(outcome: Result<UserId, &E>, request_id: Option<&str>) {
    #[cfg(feature = "tracing")]
    match outcome {
        Ok(user) => tracing::info!(target: "auth_core", %user, request_id, "login"),
        Err(error) => tracing::info!(target: "auth_core", %error, request_id, "login refused"),
    }
}

/// Reports the outcome of a registration, after the attempt was admitted.
pub(crate) fn registration<E: Display>(outcome: Result<UserId, &E>, request_id: Option<&str>) {
    #[cfg(feature = "tracing")]
    match outcome {
        Ok(user) => tracing::info!(target: "auth_core", %user, request_id, "registration"),
        Err(error) => tracing::info!(target: "auth_core", %error, request_id, "registration refused"),
    }
}

/// Reports an attempt that the rate limit did not admit.
pub(crate) fn throttled(limit: &'static str, retry_after: Duration) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", limit, retry_after_s = retry_after.as_secs(), "attempt not admitted");
}

/// Reports a revocation that is durable.
pub(crate) fn revoked(user: UserId, reason: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", %user, reason, "revoked");
}

/// Reports a change of a client, or a token that it got.
pub(crate) fn client(client: ClientId, action: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", %client, action, "client");
}

/// Reports a client that was not authenticated. The id is left out, because it may be a secret that was put in the wrong place.
pub(crate) fn client_refused<E: Display>(error: &E, request_id: Option<&str>) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", %error, request_id, "client refused");
}

/// Reports a use of a client whose time could not be recorded.
pub(crate) fn client_use_unrecorded(client: ClientId, error: &StoreError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %client, %error, "the use of a client was not recorded");
}

/// Reports a change of an account, or an export.
pub(crate) fn account(user: UserId, action: &'static str, request_id: Option<&str>) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", %user, action, request_id, "account");
}

/// Reports a request for a letter. There is no user if no account has the address, or may have the letter.
pub(crate) fn letter_requested(user: Option<UserId>, purpose: OneTimeTokenPurpose, request_id: Option<&str>) {
    #[cfg(feature = "tracing")]
    tracing::info!(
        target: "auth_core",
        user = user.map(tracing::field::display),
        purpose = purpose.as_str(),
        request_id,
        "letter requested"
    );
}

/// Reports a failure of the outbox.
pub(crate) fn outbox_failed(error: &StoreError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %error, "outbox failed");
}

/// Reports a row of the outbox that cannot become a letter.
pub(crate) fn unreadable_letter(letter: LetterId) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %letter, "letter unreadable");
}

/// Reports a failed attempt to send a letter. The error of the mailer is left out, because it may quote the address.
pub(crate) fn letter_delayed(letter: LetterId, kind: &'static str, user: UserId, attempts: u32) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", %letter, kind, %user, attempts, "letter delayed");
}

/// Reports a letter that was removed without being sent. The error of the mailer is left out, because it may quote the address.
pub(crate) fn letter_given_up(letter: LetterId, kind: &'static str, user: UserId, attempts: u32) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %letter, kind, %user, attempts, "letter given up");
}

/// Reports a login whose time could not be recorded.
pub(crate) fn login_unrecorded(user: UserId, error: &StoreError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %user, %error, "the time of a login was not recorded");
}

/// Reports a refresh token that was used a second time, and ended its session.
pub(crate) fn refresh_reuse(user: UserId, session: SessionId) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %user, %session, "a refresh token was used again; its session was ended");
}

/// Reports a use of a personal token whose time could not be recorded.
pub(crate) fn personal_use_unrecorded(token: PersonalTokenId, error: &StoreError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_core", %token, %error, "the use of a personal token was not recorded");
}

/// Reports what became of a password hash that was to be replaced after a login.
pub(crate) fn hash_upgrade(user: UserId, outcome: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_core", %user, outcome, "upgrade of a password hash");
}

/// Reports a purge that has ended.
pub(crate) fn purge(of: &'static str, outcome: &Result<u64, StoreError>) {
    #[cfg(feature = "tracing")]
    match outcome {
        Ok(removed) => tracing::debug!(target: "auth_core", of, removed, "purged"),
        Err(error) => tracing::warn!(target: "auth_core", of, %error, "purge failed"),
    }
}
