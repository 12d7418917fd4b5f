#![doc = include_str!("../README.md")]

#[cfg(feature = "routes")]
mod account_bodies;
mod browser;
#[cfg(feature = "routes")]
mod client;
#[cfg(feature = "routes")]
mod code;
mod cookie;
mod demand;
#[cfg(feature = "routes")]
mod error_answer;
#[cfg(feature = "routes")]
mod fields;
mod gate;
mod header;
mod holder_headers;
#[cfg(feature = "routes")]
mod language;
#[cfg(feature = "routes")]
mod media_type;
mod origin;
#[cfg(feature = "routes")]
mod personal_token_bodies;
#[cfg(feature = "routes")]
mod query;
mod refusal;
mod request;
#[cfg(feature = "routes")]
mod request_bodies;
#[cfg(feature = "routes")]
mod routes;

#[cfg(feature = "routes")]
pub use account_bodies::{CurrentPassword, EmailChange, PasswordReset};
pub use browser::CookieAuth;
#[cfg(feature = "routes")]
pub use client::{client_address, user_agent};
#[cfg(feature = "routes")]
pub use code::Code;
pub use cookie::{CookieTokens, SessionCookie};
pub use demand::Demand;
#[cfg(feature = "routes")]
pub use error_answer::{ErrorAnswer, FieldErrors};
#[cfg(feature = "routes")]
pub use fields::{Fields, FromFields, MAX_BODY_BYTES};
pub use gate::{Gate, Passage, UnsettledPassage, admin};
pub use header::unverified_token;
pub use holder_headers::holder_headers;
#[cfg(feature = "routes")]
pub use language::preferred_language;
#[cfg(feature = "routes")]
pub use media_type::{declared_as_form, declared_as_json, is_json};
pub use origin::{AllowedOrigins, InvalidOrigin, Origin};
#[cfg(feature = "routes")]
pub use query::wrong_parameters;
pub use refusal::{Refusal, RefusalKind, UNAVAILABLE_RETRY};
pub use request::RequestHead;
#[cfg(feature = "routes")]
pub use request_bodies::PasswordChange;
#[cfg(feature = "routes")]
pub use routes::{Answer, ClientAddress, Operation, Route, RouteRequest, Routes};
