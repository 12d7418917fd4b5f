#![doc = include_str!("../README.md")]

mod browser;
mod cookie;
mod gate;
mod header;
mod origin;
mod refusal;
mod request;

pub use browser::CookieAuth;
pub use cookie::{CookieTokens, SessionCookie};
pub use gate::{Gate, Passage, UnsettledPassage, admin};
pub use header::unverified_token;
pub use origin::{AllowedOrigins, InvalidOrigin, Origin};
pub use refusal::{Refusal, RefusalKind, UNAVAILABLE_RETRY};
pub use request::RequestHead;
