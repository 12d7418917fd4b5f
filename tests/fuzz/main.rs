//! Fuzz targets: each feeds one reader of untrusted text with mutations of a committed corpus, and compares what it
//! accepts with what it should.
//!
//! `cargo test` tries every file of the corpus and the same few hundred mutations each time. With
//! `AUTH_TEST_FUZZ_SECONDS` each target goes on with random mutations for that long: `.ci/run fuzz`. A failure prints the
//! smallest input that fails. Put it into the folder of its target in `tests/fuzz/corpus`, and mend the code.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod body;
mod claims;
mod database_url;
mod header;
mod mutation;
mod settings;
mod token;
