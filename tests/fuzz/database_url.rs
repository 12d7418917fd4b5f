//! URLs of databases.

use auth_storage::{DatabaseKind, DatabaseUrl};
use proptest::prelude::*;

use crate::mutation::fuzz;

/// A piece of every password in the corpus, and of nothing else in it.
const PASSWORD: &str = "correct-horse";

#[test]
fn a_database_url_is_read_or_refused_and_its_password_never_shown() {
    let words = [
        "postgres://",
        "mysql://",
        "sqlite:",
        "sqlite://",
        "mariadb:",
        ":memory:",
        "?",
        "&",
        "=",
        "#",
        "@",
        ":",
        "/",
        "[::1]",
        "%",
        "%00",
        "%2F",
        "%ff",
        "sslmode=",
        "verify-full",
        "ssl-mode=",
        "mode=memory",
        "mode=rwc",
        "options=",
        "host=",
        "port=65536",
        "target_session_attrs=read-write",
        ",",
        "\u{e9}",
    ];
    fuzz("database_url", &words, |input| {
        let Ok(url) = str::from_utf8(input) else { return Ok(()) };
        match DatabaseUrl::parse_with_env(url, |_| None) {
            Ok(parsed) => {
                prop_assert_eq!(parsed.kind(), DatabaseKind::of_url(url).unwrap());
                let _ = (parsed.is_in_memory(), parsed.is_read_only(), parsed.has_custom_vfs());
                let shown = format!("{parsed} {parsed:?}");
                prop_assert!(is_public(url, PASSWORD) || !shown.contains(PASSWORD), "shown: {}", shown);
            }
            Err(error) => {
                let shown = format!("{error} {error:?}");
                // An error names options.
                let is_option = url.split_once('?').is_some_and(|(_, options)| options.contains(PASSWORD));
                prop_assert!(is_option || !shown.contains(PASSWORD), "shown: {}", shown);
            }
        }
        Ok(())
    });
}

/// Whether the text may be in a part of the URL that is no password: a mutation may have put it there.
pub(crate) fn is_public(url: &str, text: &str) -> bool {
    let without_password = || {
        let (_, rest) = url.split_once("://").filter(|_| !url.starts_with("sqlite:"))?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (userinfo, host) = authority.rsplit_once('@').filter(|(userinfo, _)| !userinfo.contains('@'))?;
        let (user, _) = userinfo.split_once(':')?;
        Some([user, host, rest])
    };
    without_password().unwrap_or([url, "", ""]).iter().any(|part| part.contains(text))
}
