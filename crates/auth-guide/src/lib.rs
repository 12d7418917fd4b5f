//! Code of `docs/GUIDE.md`.
//!
//! Each file in `tests` is a complete program or test that the guide shows in parts. `tests/shown.rs` fails when the guide
//! shows a line that is in none of them.
