//! Settings of letters: how they are sent, what they say, and what an unverified address means.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use auth_core::Language;
use auth_mail::{Composer, LinkBase, MailUrl, ProductName, Sender, SmtpMailer, Templates};

use super::http::LISTEN;
use super::profile::Profile;
use super::reader::Reader;
use super::setting::{Context, Declaration, Form, Rule, Section, Setting};
use super::sources::Origin;

pub(super) static SECTION: Section = Section {
    title: "Letters",
    settings: &[&MAIL, &MAIL_FROM, &MAIL_NAME, &MAIL_TEMPLATES, &PUBLIC_URL, &LINK_BASE, &REQUIRE_VERIFIED_EMAIL],
};

/// Value of [`MAIL`] with which no letters are sent. An empty value would count as not set.
const OFF: &str = "off";

/// Path of the pages of this server below [`PUBLIC_URL`].
const PAGES: &str = "account";

/// The sender in the profiles `dev` and `test`, in which no letter leaves the machine unless the operator says so.
const LOCAL_SENDER: &str = "no-reply@localhost";

pub(crate) static MAIL: Declaration = Declaration {
    meaning: "how letters are sent",
    values: "`smtp://user:password@host`, `smtps://user:password@host`, `file`, `file:FOLDER`, `log` or `off`",
    details: "`smtp://` needs STARTTLS, `smtps://` begins with TLS; see [Letters](OPERATIONS.md#letters) for the parameters. \
              `file` writes each letter to the folder `mail` in the data folder. `log` writes its link to the log, which `prod` \
              refuses. Where it is `off`, the operations that need a letter answer 503 `mail_unconfigured`.",
    default_text: Some("`dev`: `log`; `test` and `prod`: `off`"),
    form: Form::Secret { file_variable: "AUTH_MAIL_FILE" },
    ..Declaration::new("AUTH_MAIL")
};

pub(crate) static MAIL_FROM: Setting<Option<Sender>> = Setting {
    declaration: Declaration {
        meaning: "the sender of letters",
        values: "`name@example.org` or `Name <name@example.org>`",
        details: "In `prod` it must be set where letters are sent. The relay must be allowed to send for its domain.",
        ..Declaration::new("AUTH_MAIL_FROM")
    },
    default: |profile| match profile {
        Profile::Dev | Profile::Test => Sender::parse(LOCAL_SENDER).ok(),
        Profile::Prod => None,
    },
    parse: |text, _| Sender::parse(text).map(Some).map_err(|error| said(&error)),
    show: shown,
};

static MAIL_NAME: Setting<Option<ProductName>> = Setting {
    declaration: Declaration {
        meaning: "the name of the product, as letters show it",
        values: "1 to 64 characters",
        default_text: Some("the host of the links"),
        ..Declaration::new("AUTH_MAIL_NAME")
    },
    default: |_| None,
    parse: |text, _| ProductName::parse(text).map(Some).map_err(|error| said(&error)),
    show: shown,
};

static MAIL_TEMPLATES: Declaration = Declaration {
    meaning: "a folder with templates of letters, which replace the built-in ones with the same name",
    values: "a path",
    details: "Every letter is rendered with sample data at the start, and a broken template is an error then. See \
              [Letters](OPERATIONS.md#letters).",
    default_text: Some("the built-in templates, in English and Korean"),
    ..Declaration::new("AUTH_MAIL_TEMPLATES")
};

pub(crate) static PUBLIC_URL: Setting<Option<LinkBase>, Place> = Setting {
    declaration: Declaration {
        meaning: "the URL under which users reach this server, for the links in letters and the metadata of OAuth",
        values: "`https://host`; `http://` for this machine alone",
        details: "A link is never made from the header `Host`, which a stranger can choose.",
        default_text: Some("`dev` and `test`: `http://localhost` with the port of `AUTH_LISTEN`; `prod`: none"),
        ..Declaration::new("AUTH_PUBLIC_URL")
    },
    default: |Place { profile, listen }| match profile {
        Profile::Dev | Profile::Test => LinkBase::parse(&format!("http://localhost:{}", listen.port())).ok(),
        Profile::Prod => None,
    },
    parse: |text, _| LinkBase::parse(text).map(Some).map_err(|error| said(&error)),
    show: shown,
};

static LINK_BASE: Setting<Option<LinkBase>> = Setting {
    declaration: Declaration {
        meaning: "the URL of pages of your own, which the links in letters open instead of those of this server",
        values: "`https://host/path`; `http://` for this machine alone",
        details: "`/verify-email`, `/reset-password`, `/change-email` or `/undo-email-change` and `?token=` are added to it.",
        default_text: Some("`AUTH_PUBLIC_URL` and `/account`"),
        ..Declaration::new("AUTH_LINK_BASE")
    },
    default: |_| None,
    parse: |text, _| LinkBase::parse(text).map(Some).map_err(|error| said(&error)),
    show: shown,
};

static REQUIRE_VERIFIED_EMAIL: Setting<bool> = Setting {
    declaration: Declaration {
        meaning: "whether a user must have confirmed the e-mail address to log in",
        values: "`off` or `login`",
        details: "With `login` a registration answers without a token, and a login with the right password answers 403 \
                  `email_unverified` until the address is confirmed. It needs letters.",
        ..Declaration::new("AUTH_REQUIRE_VERIFIED_EMAIL")
    },
    default: |_| false,
    parse: |text, _| match text {
        "login" => Ok(true),
        OFF => Ok(false),
        _ => Err("must be off or login".into()),
    },
    show: |required| if *required { "login" } else { OFF }.to_owned(),
};

/// Profile and address of the server, on which the default of the public URL depends.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    profile: Profile,
    listen: SocketAddr,
}

impl Context for Place {
    fn of(profile: Profile) -> Self {
        Self { profile, listen: (LISTEN.default)(profile) }
    }
}

/// Settings of the mailer.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Kind of mailer, with the relay or the folder.
    pub url: MailUrl,
    /// The folder for letters in files, unless the URL names one.
    pub folder: PathBuf,
    /// Composer of the text of letters.
    pub composer: Composer,
}

/// The settings of letters.
pub(super) struct LetterSettings {
    /// Settings of the mailer. `None` if no letters are sent.
    pub(super) mail: Option<MailSettings>,
    /// The URL under which users reach this server, if it is known.
    pub(super) public_url: Option<LinkBase>,
    /// The languages of letters. The first is the default.
    pub(super) languages: Vec<Language>,
    /// True if a login needs a verified address.
    pub(super) require_verified_email: bool,
}

impl Reader {
    /// Reads the settings of letters.
    pub(super) fn letters(&mut self, profile: Profile, listen: SocketAddr, data_dir: &Path) -> LetterSettings {
        let url = self.mail_url(profile);
        let sender = self.read(&MAIL_FROM, profile);
        let product = self.read(&MAIL_NAME, profile);
        let templates = self.templates();
        let public_url = self.read(&PUBLIC_URL, Place { profile, listen });
        let own_pages = self.read(&LINK_BASE, profile);
        let require_verified_email = self.read(&REQUIRE_VERIFIED_EMAIL, profile);
        if require_verified_email && url.is_none() {
            self.problem(REQUIRE_VERIFIED_EMAIL.variable(), "must be off unless AUTH_MAIL is set: it needs letters");
        }
        if url.is_none() && profile == Profile::Prod {
            self.problems.note(
                "AUTH_MAIL is not set, so no letters are sent: the operations that need one answer 503 mail_unconfigured",
            );
        }
        let languages = templates.as_ref().map_or_else(Vec::new, languages_of);
        let links = own_pages.or_else(|| Some(public_url.as_ref()?.join(PAGES)));
        let mail = url.and_then(|url| {
            if sender.is_none() {
                self.problem(MAIL_FROM.variable(), "must be set in the prod profile where AUTH_MAIL is set");
            }
            if links.is_none() {
                let rule = "must be set in the prod profile where AUTH_MAIL is set, or AUTH_LINK_BASE";
                self.problem(PUBLIC_URL.variable(), rule);
            }
            let composer = Composer::new(sender?, links?, templates?);
            let composer = product.into_iter().fold(composer, Composer::with_product_name);
            // The mailer is built here only to find what is wrong with it, such as certificates that cannot be read.
            if let MailUrl::Smtp(server) = &url
                && let Err(error) = SmtpMailer::new(server.clone(), composer.clone())
            {
                self.problem(MAIL.variable, said(&error).into_owned());
            }
            Some(MailSettings { url, folder: data_dir.join("mail"), composer })
        });
        LetterSettings { mail, public_url, languages, require_verified_email }
    }

    /// Reads where letters go, if they are sent.
    fn mail_url(&mut self, profile: Profile) -> Option<MailUrl> {
        let default = match profile {
            Profile::Dev => Some(MailUrl::Log),
            Profile::Test | Profile::Prod => None,
        };
        let (url, origin) = match self.text(&MAIL) {
            None => (default, Origin::Default),
            Some((text, origin)) => match parse_mail_url(text.trim(), profile) {
                Ok(url) => (url, origin),
                Err(rule) => {
                    self.problem(MAIL.variable, rule);
                    // Not `off`, so that the rules of the settings that go with it are checked too.
                    (Some(MailUrl::Log), origin)
                }
            },
        };
        // The URL is shown without its password.
        self.show(MAIL.variable, url.as_ref().map_or_else(|| OFF.to_owned(), ToString::to_string), origin);
        url
    }

    /// Reads and checks the templates.
    fn templates(&mut self) -> Option<Templates> {
        let (folder, origin) = match self.text(&MAIL_TEMPLATES) {
            Some((path, origin)) => (Some(PathBuf::from(path)), origin),
            None => (None, Origin::Default),
        };
        let shown = folder.as_ref().map_or_else(|| "<built in>".to_owned(), |folder| folder.display().to_string());
        self.show(MAIL_TEMPLATES.variable, shown, origin);
        let templates = folder.as_deref().map_or_else(Templates::built_in, Templates::load);
        templates.map_err(|error| self.problem(MAIL_TEMPLATES.variable, error.to_string())).ok()
    }
}

fn parse_mail_url(text: &str, profile: Profile) -> Result<Option<MailUrl>, Rule> {
    if text == OFF {
        return Ok(None);
    }
    match MailUrl::parse(text) {
        Ok(MailUrl::Log) if profile == Profile::Prod => {
            Err("must not be log in the prod profile: the log would have the links".into())
        }
        Ok(url) => Ok(Some(url)),
        Err(error) => Err(said(&error)),
    }
}

/// Returns the languages of the templates, the default language first.
fn languages_of(templates: &Templates) -> Vec<Language> {
    let default = Language::default();
    let others = templates.languages().filter(|language| **language != default).cloned();
    std::iter::once(default.clone()).chain(others).collect()
}

/// Returns the text of an error and of its cause as a rule.
fn said(error: &dyn std::error::Error) -> Rule {
    let text = error.to_string();
    match error.source().map(ToString::to_string) {
        Some(cause) if !text.ends_with(&cause) => format!("{text}: {cause}").into(),
        _ => text.into(),
    }
}

#[expect(clippy::ref_option, reason = "a setting hands its value over in this form")]
fn shown<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(String::new, ToString::to_string)
}
