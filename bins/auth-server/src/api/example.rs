//! Values of the examples in the OpenAPI document.

use time::OffsetDateTime;
use uuid::Uuid;

/// Not the address that the tour of the README registers, so that the examples work after the tour.
pub(crate) const EMAIL: &str = "grace@example.org";
pub(crate) const NAME: &str = "grace";
pub(crate) const ID: Uuid = Uuid::from_u128(0x0193_5a1e_8c00_7def_8123_4567_89ab_cdef);
/// It has the length of a refresh token, and its checksum is wrong.
pub(crate) const REFRESH_TOKEN: &str =
    "rar_AZNaHowAfe-BI0VniavN7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// It has the length of a one-time token, and its checksum is wrong.
pub(crate) const ONE_TIME_TOKEN: &str = "rao_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// It has the length of a personal access token, and its checksum is wrong.
pub(crate) const PERSONAL_TOKEN: &str = "rap_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
pub(crate) const CSRF_TOKEN: &str = "2Rsx3vd2DoVAVYPcjQ0D1mQKqS5rCwVJb8W3kXx8y0Q";
pub(crate) const TIME: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::days(20_000));
