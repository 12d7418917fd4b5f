//! Settings of scopes, and of the personal access tokens that carry them.

use auth_core::personal::{MAX_REMEMBERED_TOKENS, PersonalTokenOptions};
use auth_core::{ADMIN, Scopes};

use super::setting::{Declaration, Section, Setting};

pub(super) static SECTION: Section =
    Section { title: "Scopes and personal access tokens", settings: &[&USER_SCOPES, &PERSONAL_TOKEN_CACHE] };

pub(super) static USER_SCOPES: Setting<Scopes> = Setting {
    declaration: Declaration {
        meaning: "the scopes that every token of a login carries",
        values: "names of scopes with blanks between them, as `orders:read orders:write`; not `admin`, which is a role",
        details: "A user gives each personal access token some of them. See [Personal access tokens](OPERATIONS.md#personal-access-tokens).",
        ..Declaration::new("AUTH_USER_SCOPES")
    },
    default: |_| Scopes::default(),
    parse: |text, _| match text.parse::<Scopes>() {
        Ok(scopes) if scopes.contains(ADMIN) => {
            Err(format!("must not name '{ADMIN}', which is a role: give it to users with `auth-server user role add`")
                .into())
        }
        parsed => parsed.map_err(|error| format!("is wrong: {error}").into()),
    },
    show: ToString::to_string,
};

pub(super) static PERSONAL_TOKEN_CACHE: Setting<usize> = Setting {
    declaration: Declaration {
        meaning: "number of personal access tokens whose last look-up is remembered",
        values: "0 to 1048576",
        details: "A check of a remembered token reads no database for 15 minutes; expiry and blacklist are checked all the same. With 0 \
                  every check reads the database. A token takes about 250 bytes of memory.",
        ..Declaration::new("AUTH_PERSONAL_TOKEN_CACHE")
    },
    default: |_| PersonalTokenOptions::default().memory,
    parse: |text, _| {
        let tokens = text.parse().ok().filter(|tokens| *tokens <= MAX_REMEMBERED_TOKENS);
        tokens.ok_or_else(|| {
            format!("must be a number of tokens from 0 to {MAX_REMEMBERED_TOKENS}; 0 remembers none").into()
        })
    },
    show: ToString::to_string,
};
