//! English.

use super::{BrokenRuleTexts, FlowTexts, NoticeTexts, RuleTexts, Texts};

const NOT_ASKED: &str = "You did not ask for this? Close this page. Nothing changes unless you press the button.";

pub(super) static TEXTS: Texts = Texts {
    language: "en",

    account: "Account",
    address: "Email address",

    verify_email: FlowTexts {
        title: "Confirm your email address",
        lead: "Press the button to confirm that this address is yours.",
        consequences: &[],
        button: "Confirm address",
        aside: NOT_ASKED,
        done_title: "Your address is confirmed",
        done: "{address} is confirmed. You can close this page and sign in.",
        next: "Is your address still not confirmed? Ask for a new message where you sign in.",
    },
    change_email: FlowTexts {
        title: "Confirm your new email address",
        lead: "Press the button to use this address for your account.",
        consequences: &[
            "From then on you sign in with this address.",
            "A message tells the old address. The change can be undone from there for some days.",
        ],
        button: "Use this address",
        aside: NOT_ASKED,
        done_title: "Your address is changed",
        done: "Sign in with {address} from now on. You can close this page.",
        next: "Does your account still have the old address? Sign in and change it again to get a new message.",
    },
    reset_password: FlowTexts {
        title: "Choose a new password",
        lead: "When you have set it, you are signed out on all devices.",
        consequences: &[],
        button: "Set password",
        aside: NOT_ASKED,
        done_title: "Your new password is set",
        done: "You are signed out on all devices. You can close this page and sign in with the new password.",
        next: "Do you still need a new password? Choose “forgotten password” where you sign in to get a new message.",
    },
    undo_email_change: FlowTexts {
        title: "Get your old address back",
        lead: "Did somebody else change the address of your account? Press the button to undo that.",
        consequences: &[
            "Your account has this address again.",
            "All devices are signed out, and the current password stops working.",
            "You get a message at this address, with a link to choose a new password.",
        ],
        button: "Undo the change",
        aside: "You changed the address yourself? Close this page. Nothing changes unless you press the button.",
        done_title: "The change is undone",
        done: "A message is on its way to {address}. Open the link in it to choose a new password.",
        next: "Do you still have no access to your account? Write to the people who run the service.",
    },

    new_password: "New password",
    show: "Show",
    show_password: "Show password",
    hide: "Hide",
    hide_password: "Hide password",
    error_prefix: "Error:",
    rules: RuleTexts {
        length: "At least {min} characters. Spaces count.",
        personal: "Not your email address or username.",
        common: "Not a password that many people use.",
    },
    broken: BrokenRuleTexts {
        empty: "Enter a password.",
        too_short: "This password is too short. It needs at least {min} characters.",
        too_long: "This password is too long. It can have at most {max} characters.",
        too_many_bytes: "This password is too long. It can have at most {max} bytes: an English letter is one byte, other \
                         characters are more.",
        forbidden_character: "This password has a character that cannot be used. Enter another one.",
        personal: "This is your email address or username. Choose a password that cannot be guessed.",
        common: "Many people use this password, so it is easily guessed. Choose another one.",
        breached: "This password was published in a data breach. Choose another one.",
        other: "This password cannot be used. Choose another one.",
    },

    stale: NoticeTexts {
        title: "This link does not work any more",
        body: "A link works once and for a limited time. It was used already, it is too old, a newer message has replaced \
               it, or a part of it is missing.",
    },
    taken: NoticeTexts {
        title: "This address is taken",
        body: "Another account has this address now, so your account cannot have it. Nothing was changed.",
    },
    throttled: NoticeTexts {
        title: "Please wait a moment",
        body: "There were too many attempts. Open the link in the message again in {minutes} min.",
    },
    unavailable: NoticeTexts {
        title: "Please try again in a moment",
        body: "A part of the service does not answer. Wait a minute, then open the link in the message again.",
    },
    failed: NoticeTexts {
        title: "Something went wrong",
        body: "The fault is in the service, and it has been noted. Open the link in the message again later.",
    },
    foreign: NoticeTexts {
        title: "Please use the link in the message",
        body: "Another site has sent you here. Nothing was changed. Open the link in the message again.",
    },
    malformed: NoticeTexts {
        title: "Please use the link in the message",
        body: "This request cannot be understood. Nothing was changed. Open the link in the message again.",
    },
};
