//! The HTML of the pages, from the templates in `templates/account`.

use std::time::Duration;

use askama::Template;
use auth_core::password::MAX_PASSWORD_CHARS;
use auth_core::{PasswordError, PasswordPolicy};

use super::flow::Flow;
use super::texts::{FlowTexts, NoticeTexts, Texts};

/// The style sheet, which every page contains.
pub(super) const STYLE: &str = include_str!("../../templates/account/style.css");

/// An account as a page shows it.
pub(super) struct Account<'a> {
    /// The name of the account.
    pub(super) username: &'a str,
    /// The address that its owner logs in with.
    pub(super) login: &'a str,
    /// The address that the letter was sent to.
    pub(super) address: &'a str,
}

/// The state of the form for a new password.
#[derive(Default)]
pub(super) struct PasswordField<'a> {
    /// True if what is typed is visible.
    pub(super) shown: bool,
    /// Text that the field contains at first.
    pub(super) typed: &'a str,
    /// Rule that the last password broke.
    pub(super) broken: Option<PasswordError>,
}

/// A problem that ends a flow, until its link or another one is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The link is old, used or broken.
    Stale,
    /// Another account uses the address.
    Taken,
    /// There were too many attempts. The next one may be made after this time.
    Throttled(Duration),
    /// The database or another part does not answer.
    Unavailable,
    /// A fault of the server.
    Failed,
    /// A page of another site sent the form.
    Foreign,
    /// The form is not one of ours.
    Malformed,
}

/// The sign at the top of a page.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Letter,
    Key,
    Back,
    Done,
    Problem,
}

impl Mark {
    fn of(flow: Flow) -> Self {
        match flow {
            Flow::VerifyEmail | Flow::ChangeEmail => Self::Letter,
            Flow::ResetPassword => Self::Key,
            Flow::UndoEmailChange => Self::Back,
        }
    }

    /// Returns the class of the sign in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Letter | Self::Key | Self::Back | Self::Done => "calm",
        }
    }
}

/// What all pages have.
struct Frame {
    texts: &'static Texts,
    title: &'static str,
    mark: Mark,
    style: &'static str,
}

impl Frame {
    fn new(texts: &'static Texts, title: &'static str, mark: Mark) -> Self {
        Self { texts, title, mark, style: STYLE }
    }
}

/// Page with a button that continues the flow.
#[derive(Template)]
#[template(path = "account/confirmation.html")]
struct Confirmation<'a> {
    frame: Frame,
    words: &'static FlowTexts,
    account: &'a Account<'a>,
    action: &'static str,
    token: &'a str,
}

/// Page with the form for a new password.
#[derive(Template)]
#[template(path = "account/new_password.html")]
struct NewPassword<'a> {
    frame: Frame,
    words: &'static FlowTexts,
    account: &'a Account<'a>,
    action: &'static str,
    token: &'a str,
    rules: Vec<String>,
    error: Option<String>,
    shown: bool,
    typed: &'a str,
}

/// Page without a form.
#[derive(Template)]
#[template(path = "account/notice.html")]
struct Notice {
    frame: Frame,
    paragraphs: Vec<String>,
}

/// Returns the page that asks for the click which continues `flow`.
///
/// # Errors
///
/// When the template cannot be rendered.
pub(super) fn confirmation(
    flow: Flow,
    texts: &'static Texts,
    account: &Account<'_>,
    token: &str,
) -> askama::Result<String> {
    let words = texts.of(flow);
    let frame = Frame::new(texts, words.title, Mark::of(flow));
    Confirmation { frame, words, account, action: flow.name(), token }.render()
}

/// Returns the page that asks for a new password.
///
/// # Errors
///
/// When the template cannot be rendered.
pub(super) fn new_password(
    texts: &'static Texts,
    account: &Account<'_>,
    token: &str,
    policy: &PasswordPolicy,
    field: &PasswordField<'_>,
) -> askama::Result<String> {
    let words = texts.of(Flow::ResetPassword);
    let page = NewPassword {
        frame: Frame::new(texts, words.title, Mark::Key),
        words,
        account,
        action: Flow::ResetPassword.name(),
        token,
        rules: rules(texts, policy),
        error: field.broken.map(|rule| broken_rule(texts, rule)),
        shown: field.shown,
        typed: field.typed,
    };
    page.render()
}

/// Returns the page that tells what `flow` has done. The letter with its link was sent to `address`.
///
/// # Errors
///
/// When the template cannot be rendered.
pub(super) fn done(flow: Flow, texts: &'static Texts, address: &str) -> askama::Result<String> {
    let words = texts.of(flow);
    let frame = Frame::new(texts, words.done_title, Mark::Done);
    Notice { frame, paragraphs: vec![words.done.replace("{address}", address)] }.render()
}

/// Returns the page that tells why `flow` does not continue.
///
/// # Errors
///
/// When the template cannot be rendered.
pub(super) fn problem(flow: Flow, texts: &'static Texts, problem: Problem) -> askama::Result<String> {
    let words: &NoticeTexts = match problem {
        Problem::Stale => &texts.stale,
        Problem::Taken => &texts.taken,
        Problem::Throttled(_) => &texts.throttled,
        Problem::Unavailable => &texts.unavailable,
        Problem::Failed => &texts.failed,
        Problem::Foreign => &texts.foreign,
        Problem::Malformed => &texts.malformed,
    };
    let mut paragraphs = vec![words.body.to_owned()];
    match problem {
        Problem::Stale => paragraphs.push(texts.of(flow).next.to_owned()),
        Problem::Throttled(wait) => {
            let minutes = wait.as_secs().div_ceil(60).max(1);
            paragraphs = vec![words.body.replace("{minutes}", &minutes.to_string())];
        }
        _ => {}
    }
    Notice { frame: Frame::new(texts, words.title, Mark::Problem), paragraphs }.render()
}

/// Returns the rules of the policy in words.
fn rules(texts: &Texts, policy: &PasswordPolicy) -> Vec<String> {
    let mut rules = vec![texts.rules.length.replace("{min}", &policy.min_chars().to_string())];
    rules.push(texts.rules.personal.to_owned());
    if policy.refuses_common() {
        rules.push(texts.rules.common.to_owned());
    }
    rules
}

/// Returns the sentence for a rule that a password broke.
fn broken_rule(texts: &Texts, rule: PasswordError) -> String {
    let broken = &texts.broken;
    match rule {
        PasswordError::Empty => broken.empty.to_owned(),
        PasswordError::TooShort { min } => broken.too_short.replace("{min}", &min.to_string()),
        PasswordError::TooLong => broken.too_long.replace("{max}", &MAX_PASSWORD_CHARS.to_string()),
        PasswordError::TooManyBytes { max } => broken.too_many_bytes.replace("{max}", &max.to_string()),
        PasswordError::Nul => broken.forbidden_character.to_owned(),
        PasswordError::Personal => broken.personal.to_owned(),
        PasswordError::Common => broken.common.to_owned(),
        PasswordError::Breached => broken.breached.to_owned(),
        _ => broken.other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::texts::CATALOGUES;
    use super::*;

    const PROBLEMS: [Problem; 7] = [
        Problem::Stale,
        Problem::Taken,
        Problem::Throttled(Duration::from_secs(61)),
        Problem::Unavailable,
        Problem::Failed,
        Problem::Foreign,
        Problem::Malformed,
    ];
    const RULES: [PasswordError; 8] = [
        PasswordError::Empty,
        PasswordError::TooLong,
        PasswordError::Nul,
        PasswordError::TooShort { min: 15 },
        PasswordError::TooManyBytes { max: 72 },
        PasswordError::Common,
        PasswordError::Personal,
        PasswordError::Breached,
    ];

    /// Returns every page in a language, for an account with hostile names.
    fn pages(texts: &'static Texts) -> Vec<String> {
        let hostile = "<b>\"'&{address}";
        let account = Account { username: hostile, login: hostile, address: hostile };
        let mut pages = Vec::new();
        for flow in Flow::ALL {
            pages.push(confirmation(flow, texts, &account, hostile));
            pages.push(done(flow, texts, hostile));
            pages.extend(PROBLEMS.map(|kind| problem(flow, texts, kind)));
        }
        for broken in RULES.map(Some).into_iter().chain([None]) {
            let field = PasswordField { shown: broken.is_some(), typed: hostile, broken };
            pages.push(new_password(texts, &account, hostile, &PasswordPolicy::default(), &field));
        }
        pages.into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn every_page_names_its_language_and_escapes_what_users_choose() {
        for texts in CATALOGUES {
            for page in pages(texts) {
                assert!(page.contains(&format!("<html lang=\"{}\">", texts.language)), "{page}");
                assert!(!page.contains("<b>") && !page.contains("<script"), "{page}");
                assert_eq!(page.matches("<h1>").count(), 1, "{page}");
                // The style sheet has braces, and the hostile name has the only placeholder that is left.
                let text = page.replace(STYLE, "").replace("{address}", "");
                assert!(!text.contains(['{', '}']), "a placeholder is left in {text}");
            }
        }
    }

    #[test]
    fn every_problem_and_every_broken_rule_has_words_of_its_own() {
        for texts in CATALOGUES {
            let mut words: Vec<_> = RULES.iter().map(|rule| broken_rule(texts, *rule)).collect();
            words.extend(PROBLEMS.map(|kind| problem(Flow::VerifyEmail, texts, kind).unwrap()));
            words.sort();
            words.dedup();
            assert_eq!(words.len(), RULES.len() + PROBLEMS.len(), "{}", texts.language);
        }
    }

    #[test]
    fn a_wait_is_told_in_minutes_rounded_up() {
        for (seconds, minutes) in [(0, "in 1 min"), (60, "in 1 min"), (61, "in 2 min"), (900, "in 15 min")] {
            let kind = Problem::Throttled(Duration::from_secs(seconds));
            let page = problem(Flow::VerifyEmail, CATALOGUES[0], kind).unwrap();
            assert!(page.contains(minutes), "{seconds}: {page}");
        }
    }

    #[test]
    fn the_rules_are_those_of_the_policy() {
        let english = CATALOGUES[0];
        assert_eq!(rules(english, &PasswordPolicy::new(6)).len(), 2);
        let all = rules(english, &PasswordPolicy::new(8).refuse_common());
        assert_eq!((all.len(), all[0].as_str()), (3, "At least 8 characters. Spaces count."));
    }
}
