//! Settings of the server as a whole.

use super::profile::Profile;
use super::setting::{Declaration, Section, Setting};

pub(super) static SECTION: Section = Section { title: "Profile", settings: &[&ENV] };

pub(crate) static ENV: Setting<Profile, ()> = Setting {
    declaration: Declaration {
        meaning: "the profile, which decides the defaults and how strict the rules are",
        values: "`dev`, `test` or `prod`",
        details: "See [Profiles](OPERATIONS.md#profiles).",
        ..Declaration::new("AUTH_ENV")
    },
    default: |()| Profile::Dev,
    parse: |text, ()| {
        let named = Profile::ALL.into_iter().find(|profile| profile.as_str() == text);
        named.ok_or("must be dev, test or prod".into())
    },
    show: |profile| profile.as_str().to_owned(),
};
