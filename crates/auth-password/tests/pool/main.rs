//! The public API of the pool, with a hasher that works on command.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod batches;
mod lifecycle;
mod overload;
mod refusals;
mod rig;
