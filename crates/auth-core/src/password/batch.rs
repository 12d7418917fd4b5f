//! Batches of jobs for a hasher. Some schemes compute several hashes in hardly more time than one.

use std::fmt;

use super::outcome::{HashError, Verdict};
use super::{Password, PasswordHash};

/// Key of a batch: jobs with equal keys can be computed together.
///
/// The hasher chooses the contents, usually the parameters that decide the work of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchKey {
    /// Scheme of the hashes.
    pub scheme: &'static str,
    /// Other parameters that must be equal, in the scheme's own terms. For bcrypt it is the cost.
    pub parameters: u64,
}

/// Jobs with the same [`BatchKey`]: new passwords to hash, and passwords to compare with stored hashes.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Passwords to hash, each with a new random salt.
    pub hash: &'a [&'a Password],
    /// Passwords to compare, each with the hash beside it.
    pub verify: &'a [(&'a Password, &'a PasswordHash)],
    /// Pause to call between the steps of the computation.
    pub pause: Pause<'a>,
}

/// Hook that a long computation calls between its steps, so that its caller can yield to other work there.
///
/// A hasher calls it about every 100 µs if its hash function has steps that short, or not at all.
#[derive(Clone, Copy)]
pub struct Pause<'a>(&'a dyn Fn());

impl<'a> Pause<'a> {
    /// Pause that does nothing.
    pub const NONE: Self = Self(&|| {});

    /// Returns a pause that runs `what`.
    #[must_use]
    pub fn new(what: &'a dyn Fn()) -> Self {
        Self(what)
    }

    /// Runs the pause.
    pub fn here(self) {
        (self.0)();
    }
}

impl fmt::Debug for Pause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

/// Results of a [`Batch`]: one for each job, in the order of the jobs.
#[derive(Debug, Default)]
pub struct BatchResults {
    /// Results of the passwords to hash.
    pub hashes: Vec<Result<PasswordHash, HashError>>,
    /// Results of the comparisons.
    pub verdicts: Vec<Result<Verdict, HashError>>,
}
