//! English.

use super::{BrokenRuleTexts, FlowTexts, NoticeTexts, RuleTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    language: "en",

    account: "Account",
    address: "E-mail address",

    verify_email: FlowTexts {
        title: "Confirm your address",
        lead: "Press the button to confirm that this address belongs to you.",
        consequences: &[],
        button: "Confirm address",
        aside: "You did not ask for this? Close this page. Nothing changes unless you press the button.",
        done_title: "Your address is confirmed",
        done: "{address} is confirmed. You can close this page and log in.",
        next: "Is your address still not confirmed? Ask for a new letter where you log in.",
    },
    change_email: FlowTexts {
        title: "Confirm your new address",
        lead: "Press the button to use this address for your account.",
        consequences: &[
            "From then on you log in with this address.",
            "We tell the old address. The change can be undone from there for some days.",
        ],
        button: "Use this address",
        aside: "You did not ask for this? Close this page. Nothing changes unless you press the button.",
        done_title: "Your address is changed",
        done: "Log in with {address} from now on. You can close this page.",
        next: "Does your account still have the old address? Log in and change the address again to get a new letter.",
    },
    reset_password: FlowTexts {
        title: "Set a new password",
        lead: "Choose a new password for your account. When it is set, you are logged out on every device.",
        consequences: &[],
        button: "Set password",
        aside: "You did not ask for this? Close this page. Nothing changes unless you press the button.",
        done_title: "Your new password is set",
        done: "You were logged out on every device. You can close this page and log in with the new password.",
        next: "Do you still need a new password? Choose “forgotten password” where you log in to get a new letter.",
    },
    undo_email_change: FlowTexts {
        title: "Take your old address back",
        lead: "Did somebody else change the address of your account? Press the button to undo it.",
        consequences: &[
            "Your account gets this address back.",
            "Every device is logged out, and the current password stops working.",
            "We send a letter to this address, with which you set a new password.",
        ],
        button: "Undo the change",
        aside: "You changed the address yourself? Close this page. Nothing changes unless you press the button.",
        done_title: "The change is undone",
        done: "We have sent a letter to {address}. Open the link in it to set a new password.",
        next: "Do you still have no access to your account? Write to the people who run the application.",
    },

    new_password: "New password",
    show: "Show",
    show_password: "Show password",
    hide: "Hide",
    hide_password: "Hide password",
    error_prefix: "Error:",
    rules: RuleTexts {
        length: "At least {min} characters. Spaces count.",
        personal: "Not your e-mail address or username.",
        common: "Not a password that many people use.",
    },
    broken: BrokenRuleTexts {
        empty: "Enter a password.",
        too_short: "This password is too short. It needs at least {min} characters.",
        too_long: "This password is too long. It can have at most {max} characters.",
        too_many_bytes: "This password is too long. It can have at most {max} bytes: a letter without an accent is one \
                         byte, other characters are more.",
        forbidden_character: "This password has a character that cannot be used. Enter another one.",
        personal: "This is your e-mail address or your username. Choose a password that cannot be guessed.",
        common: "Many people use this password, so it is easily guessed. Choose another one.",
        breached: "This password has been published in a data breach. Choose another one.",
        other: "This password cannot be used. Choose another one.",
    },

    stale: NoticeTexts {
        title: "This link does not work any more",
        body: "A link works once and for a limited time. It was used already, it is too old, a newer letter has replaced \
               it, or a part of it is missing.",
    },
    taken: NoticeTexts {
        title: "This address is taken",
        body: "Another account has this address now, so your account cannot have it. Nothing was changed.",
    },
    throttled: NoticeTexts {
        title: "Please wait a moment",
        body: "There were too many attempts. Open the link in the letter again in {minutes} min.",
    },
    unavailable: NoticeTexts {
        title: "Please try again in a moment",
        body: "A part of our service does not answer. Wait a minute, then open the link in the letter again.",
    },
    failed: NoticeTexts {
        title: "Something went wrong",
        body: "The fault is ours, and it has been noted. Open the link in the letter again later.",
    },
    foreign: NoticeTexts {
        title: "Please use the link in the letter",
        body: "Another site has sent you here. Nothing was changed. Open the link in the letter again.",
    },
    malformed: NoticeTexts {
        title: "Please use the link in the letter",
        body: "This request cannot be understood. Nothing was changed. Open the link in the letter again.",
    },
};
