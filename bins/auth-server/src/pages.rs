//! The pages that the links in letters open: confirm an address, confirm a new address, set a new password, take the old address
//! back.
//!
//! A `GET` reads the token of the link and changes nothing, because programs that look for malware open links too, and some run
//! scripts. It shows whose account it is, what will happen, and a button. The button posts the token, and the `POST` does it.
//! No page has a script.
//!
//! - A link that is old, used or broken is a page with the status of `code_invalid`, 400. It does not tell these cases apart.
//! - Every other error is a page with the status, the headers and the log line that the API has for it.
//! - The pages exist when the server sends letters, also when `AUTH_LINK_BASE` leads the links elsewhere: whoever holds a token
//!   may use it through the API as well, so they permit nothing more.
//!
//! The rest of the server calls [`routes`] once, and mounts what it returns.

mod endpoint;
mod flow;
mod form;
mod response;
mod texts;
mod view;

use poem::EndpointExt;
use poem::http::Method;

use self::endpoint::{Act, Look};
use self::flow::Flow;
use crate::http::route::RouteTable;

/// Returns the routes of the pages.
pub(crate) fn routes() -> RouteTable {
    let of = |flow: Flow| [(Method::GET, Look(flow).boxed()), (Method::POST, Act(flow).boxed())];
    Flow::ALL.into_iter().map(|flow| (flow.path().to_owned(), of(flow).into())).collect()
}
