//! Settings of `auth-server follow`, which checks tokens without a database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth_follower::FollowerOptions;

use super::duration;
use super::profile::Profile;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::{Declaration, Form, Rule, Section, Setting};
use super::sources::bytes_of;

pub(super) static SECTION: Section = Section {
    title: "Following",
    settings: &[&ISSUER, &CLIENT_ID, &CLIENT_SECRET, &MAX_STALENESS, &STATE_FILE, &CA_FILE, &PLAIN_HTTP],
};

/// Upper bound of the staleness. A logout that takes longer is of little use.
const MAX_BOUND: Duration = Duration::from_secs(3_600);

/// Lower bound: twice the wait for news of one second, and a second.
const MIN_BOUND: Duration = Duration::from_secs(3);

pub(crate) static ISSUER: Setting<Option<String>> = Setting {
    declaration: Declaration {
        meaning: "the URL of the auth server that `auth-server follow` follows",
        values: "`https://HOST`; `http://` for this machine alone",
        details: "The tokens still name `AUTH_TOKEN_ISSUER` and `AUTH_TOKEN_AUDIENCE`, which must be those of the auth server.",
        default_text: Some("none; `follow` needs it"),
        ..Declaration::new("AUTH_FOLLOW_ISSUER")
    },
    default: |_| None,
    parse: |text, _| Ok(Some(text.to_owned())),
    show: |url| url.clone().unwrap_or_default(),
};

static CLIENT_ID: Setting<Option<String>> = Setting {
    declaration: Declaration {
        meaning: "the id of the client with the scope `revocations` that follows",
        values: "an id that `auth-server client create` printed",
        default_text: Some("none; `follow` needs it"),
        ..Declaration::new("AUTH_FOLLOW_CLIENT_ID")
    },
    default: |_| None,
    parse: |text, _| Ok(Some(text.to_owned())),
    show: |id| id.clone().unwrap_or_default(),
};

static CLIENT_SECRET: Declaration = Declaration {
    meaning: "the secret of that client",
    values: "a secret that `auth-server client create` printed",
    default_text: Some("none; `follow` needs it"),
    form: Form::Secret { file_variable: "AUTH_FOLLOW_CLIENT_SECRET_FILE" },
    ..Declaration::new("AUTH_FOLLOW_CLIENT_SECRET")
};

static MAX_STALENESS: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "the longest time from a logout that was acknowledged until `follow` refuses the token",
        values: "`3s` to `1h`",
        details: "Past it tokens that are not known as revoked are answered with 503.",
        ..Declaration::new("AUTH_FOLLOW_MAX_STALENESS")
    },
    default: |_| Duration::from_secs(5),
    parse: |text, _| bound(text),
    show: |bound| duration::format(*bound),
};

static STATE_FILE: Setting<Option<PathBuf>> = Setting {
    declaration: Declaration {
        meaning: "a file in which `follow` keeps the last snapshot of what is revoked",
        values: "a path",
        details: "`follow` reads it at its start, so that it need not load the whole snapshot again.",
        default_text: Some("none"),
        ..Declaration::new("AUTH_FOLLOW_STATE_FILE")
    },
    default: |_| None,
    parse: |text, _| Ok(Some(text.into())),
    show: shown,
};

static CA_FILE: Setting<Option<PathBuf>> = Setting {
    declaration: Declaration {
        meaning: "the root certificates of the auth server, in PEM",
        values: "a path",
        default_text: Some("those of Mozilla"),
        ..Declaration::new("AUTH_FOLLOW_CA_FILE")
    },
    default: |_| None,
    parse: |text, _| Ok(Some(text.into())),
    show: shown,
};

static PLAIN_HTTP: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether `follow` may reach another machine with `http://`",
        details: "Whoever sits on the way can then read its token and answer with keys of their own.",
        ..Declaration::new("AUTH_FOLLOW_PLAIN_HTTP")
    },
    |_| false,
);

fn bound(text: &str) -> Result<Duration, Rule> {
    let bound = duration::parse(text).filter(|bound| (MIN_BOUND..=MAX_BOUND).contains(bound));
    bound.ok_or("must be a duration from 3s to 1h, such as 5s".into())
}

#[expect(clippy::ref_option, reason = "a declaration shows its value by reference")]
fn shown(path: &Option<PathBuf>) -> String {
    path.as_deref().map(Path::display).map(|path| path.to_string()).unwrap_or_default()
}

/// The settings of this section.
pub(super) struct FollowSettings {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    max_staleness: Duration,
    state_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    plain_http: bool,
}

impl Reader {
    /// Reads the settings of this section. None of them is needed by other commands than `follow`.
    pub(super) fn following(&mut self, profile: Profile) -> FollowSettings {
        let issuer = self.read(&ISSUER, profile);
        let client_id = self.read(&CLIENT_ID, profile);
        let client_secret = self.text(&CLIENT_SECRET).and_then(|(text, origin)| {
            self.show(CLIENT_SECRET.variable, "<redacted>", origin);
            let secret = Secret::parse(text.as_bytes());
            secret.map_err(|error| self.problem(CLIENT_SECRET.variable, error.to_string())).ok()
        });
        FollowSettings {
            issuer,
            client_id,
            client_secret,
            max_staleness: self.read(&MAX_STALENESS, profile),
            state_file: self.read(&STATE_FILE, profile),
            ca_file: self.read(&CA_FILE, profile),
            plain_http: self.read(&PLAIN_HTTP, profile),
        }
    }

    /// Returns the options of a follower, if all that it needs is set.
    pub(super) fn follower_options(
        &mut self,
        settings: FollowSettings,
        issuer: String,
        audience: String,
        cached_tokens: usize,
    ) -> Option<FollowerOptions> {
        let FollowSettings { client_id, client_secret, max_staleness, state_file, ca_file, plain_http, .. } = settings;
        for (variable, is_set) in [
            (ISSUER.variable(), settings.issuer.is_some()),
            (CLIENT_ID.variable(), client_id.is_some()),
            (CLIENT_SECRET.variable, client_secret.is_some()),
        ] {
            if !is_set {
                self.problem(variable, "must be set");
            }
        }
        let roots = ca_file.and_then(|path| {
            let read = bytes_of(&path);
            read.map_err(|error| self.problem(CA_FILE.variable(), format!("cannot be read: {error}"))).ok()
        });
        let secret = client_secret?;
        let secret = str::from_utf8(secret.expose_secret()).unwrap_or_default();
        let options = FollowerOptions::new(settings.issuer?, audience, client_id?, secret)
            .issuer(issuer)
            .max_staleness(max_staleness)
            .cached_tokens(cached_tokens);
        let options = state_file.into_iter().fold(options, FollowerOptions::state_file);
        let options = roots.into_iter().fold(options, FollowerOptions::root_certificates);
        Some(if plain_http { options.allow_plain_http() } else { options })
    }
}
