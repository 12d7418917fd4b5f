//! The table of all settings.

use super::setting::{Declaration, Section};
use super::{
    blacklist, database, following, general, hashing, http, keys, logging, mail, passwords, scopes, sessions, throttle,
    tokens,
};

/// Every section, in the order of the documentation. A setting that is missing here is reported as unknown.
pub(super) static SECTIONS: [&Section; 14] = [
    &general::SECTION,
    &http::SECTION,
    &database::SECTION,
    &tokens::SECTION,
    &keys::SECTION,
    &sessions::SECTION,
    &scopes::SECTION,
    &passwords::SECTION,
    &hashing::SECTION,
    &blacklist::SECTION,
    &following::SECTION,
    &throttle::SECTION,
    &mail::SECTION,
    &logging::SECTION,
];

/// Returns the declarations of all settings.
pub(super) fn declarations() -> Vec<&'static Declaration> {
    SECTIONS.iter().flat_map(|section| section.settings).map(|setting| setting.declaration()).collect()
}
