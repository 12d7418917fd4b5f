//! Small complete programs with revocable authentication. Each is one file to read and to copy from; `tests/it.rs` runs it.
