//! Personal access tokens through the service.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod ends;
mod fixture;
mod grants;
mod look_ups;
