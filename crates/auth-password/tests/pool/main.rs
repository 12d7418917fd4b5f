//! The hashing threads from outside, with a hasher that works when it is told to.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod batches;
mod life;
mod overload;
mod refusals;
mod rig;
