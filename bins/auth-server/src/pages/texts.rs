//! The words of the pages, one catalogue a language.
//!
//! To add a language: copy `texts/en.rs` to a file that is named by the tag of the language, translate it, and name it below
//! and in [`CATALOGUES`]. The compiler reports a text that is missing. The tests report one that is empty, not translated, or has
//! other placeholders than the English one.

mod en;
mod ko;

use std::sync::LazyLock;

use auth_core::letters::Language;
use auth_http::preferred_language;
use poem::http::{HeaderMap, HeaderValue, header};

use super::flow::Flow;

/// All catalogues. The first is used where a browser wants none of them.
pub(super) static CATALOGUES: [&Texts; 2] = [&en::TEXTS, &ko::TEXTS];

/// The languages of the catalogues, in their order.
static LANGUAGES: LazyLock<Vec<Language>> =
    LazyLock::new(|| CATALOGUES.iter().filter_map(|texts| Language::parse(texts.language).ok()).collect());

/// Defines a struct of texts. For the tests it also lists them by name.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: $kind,)*
        }

        #[cfg(test)]
        impl tests::Listed for $name {
            fn list(&self, path: &str, all: &mut Vec<(String, &'static str)>) {
                $(self.$field.list(&format!("{path}.{}", stringify!($field)), all);)*
            }
        }
    };
}

texts! {
    /// The texts of all pages in one language.
    Texts {
        /// Tag of the language (BCP 47), in lower case.
        language: &'static str,

        /// Label of the name of the account.
        account: &'static str,
        /// Label of the e-mail address.
        address: &'static str,

        /// Confirming the address of an account.
        verify_email: FlowTexts,
        /// Confirming the new address of an account.
        change_email: FlowTexts,
        /// Setting a new password.
        reset_password: FlowTexts,
        /// Taking the old address back.
        undo_email_change: FlowTexts,

        /// Label of the field for the new password.
        new_password: &'static str,
        /// Button that makes the password visible.
        show: &'static str,
        /// The same button for a screen reader. It contains the visible word.
        show_password: &'static str,
        /// Button that hides the password.
        hide: &'static str,
        /// The same button for a screen reader. It contains the visible word.
        hide_password: &'static str,
        /// Begins the title of a page with an error at a field.
        error_prefix: &'static str,
        /// The rules for a new password.
        rules: RuleTexts,
        /// The rules that a password broke.
        broken: BrokenRuleTexts,

        /// A link that is old, used or broken. What to do next is [`FlowTexts::next`].
        stale: NoticeTexts,
        /// Another account uses the address.
        taken: NoticeTexts,
        /// Too many attempts. `{minutes}` is the number of minutes to wait.
        throttled: NoticeTexts,
        /// The database or another part does not answer.
        unavailable: NoticeTexts,
        /// A fault of the server.
        failed: NoticeTexts,
        /// A page of another site sent the form.
        foreign: NoticeTexts,
        /// The form is not one of ours.
        malformed: NoticeTexts,
    }
}

texts! {
    /// The texts of one flow.
    FlowTexts {
        /// Title of the page with the form.
        title: &'static str,
        /// What the button does.
        lead: &'static str,
        /// What else happens then.
        consequences: &'static [&'static str],
        /// Label of the button.
        button: &'static str,
        /// Below the button: what a reader does who does not want that.
        aside: &'static str,
        /// Title of the page when it is done.
        done_title: &'static str,
        /// What has happened and what to do now. `{address}` is the address that the letter was sent to.
        done: &'static str,
        /// Below a stale link: what to do next.
        next: &'static str,
    }
}

texts! {
    /// A page without a form.
    NoticeTexts {
        /// The title.
        title: &'static str,
        /// The paragraph.
        body: &'static str,
    }
}

texts! {
    /// The rules for a new password, before one was typed.
    RuleTexts {
        /// `{min}` is the smallest number of characters.
        length: &'static str,
        /// It must not be a name of the user.
        personal: &'static str,
        /// It must not be commonly used.
        common: &'static str,
    }
}

texts! {
    /// What is wrong with a password.
    BrokenRuleTexts {
        /// It is empty.
        empty: &'static str,
        /// It has fewer characters than `{min}`.
        too_short: &'static str,
        /// It has more characters than `{max}`.
        too_long: &'static str,
        /// It has more bytes than `{max}`.
        too_many_bytes: &'static str,
        /// It has a character that no password may have.
        forbidden_character: &'static str,
        /// It is a name of the user.
        personal: &'static str,
        /// It is commonly used.
        common: &'static str,
        /// It was published.
        breached: &'static str,
        /// It breaks a rule that has no text of its own.
        other: &'static str,
    }
}

impl Texts {
    /// Returns the catalogue of the language that a request prefers.
    pub(super) fn preferred(headers: &HeaderMap) -> &'static Self {
        let wanted = headers.get_all(header::ACCEPT_LANGUAGE).iter().map(HeaderValue::as_bytes);
        let language = preferred_language(wanted, &LANGUAGES);
        CATALOGUES.into_iter().find(|texts| texts.language == language.as_str()).unwrap_or(CATALOGUES[0])
    }

    /// Returns the texts of a flow.
    pub(super) fn of(&self, flow: Flow) -> &FlowTexts {
        match flow {
            Flow::VerifyEmail => &self.verify_email,
            Flow::ChangeEmail => &self.change_email,
            Flow::ResetPassword => &self.reset_password,
            Flow::UndoEmailChange => &self.undo_email_change,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Texts that can be listed with their names.
    pub(super) trait Listed {
        fn list(&self, path: &str, all: &mut Vec<(String, &'static str)>);
    }

    impl Listed for &'static str {
        fn list(&self, path: &str, all: &mut Vec<(String, &'static str)>) {
            all.push((path.to_owned(), self));
        }
    }

    impl Listed for &'static [&'static str] {
        fn list(&self, path: &str, all: &mut Vec<(String, &'static str)>) {
            for (number, text) in self.iter().enumerate() {
                text.list(&format!("{path}[{number}]"), all);
            }
        }
    }

    fn list(texts: &Texts) -> Vec<(String, &'static str)> {
        let mut all = Vec::new();
        texts.list(texts.language, &mut all);
        all
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_language_has_every_text_with_the_placeholders_of_the_english_one() {
        let english = list(&en::TEXTS);
        for texts in CATALOGUES {
            let listed = list(texts);
            assert_eq!(listed.len(), english.len(), "{}: a list of consequences has another length", texts.language);
            for ((name, text), (_, in_english)) in listed.iter().zip(&english) {
                assert!(!text.trim().is_empty() && text.trim() == *text, "{name} is empty or has spaces around it");
                assert_eq!(placeholders(text), placeholders(in_english), "{name} has other placeholders");
                let is_english = std::ptr::eq(texts, &raw const en::TEXTS);
                assert!(is_english || text != in_english, "{name} is not translated");
            }
        }
    }

    #[test]
    fn the_name_of_a_language_is_one_tag_in_lower_case() {
        let tags: BTreeSet<_> = CATALOGUES.iter().map(|texts| texts.language).collect();
        assert_eq!(tags.len(), CATALOGUES.len(), "two catalogues have the same language");
        for tag in tags {
            assert_eq!(Language::parse(tag).unwrap().as_str(), tag);
        }
    }
}
