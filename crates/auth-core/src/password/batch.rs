//! Several jobs for a hasher at once: some schemes compute them together in hardly more time than one alone.

use std::fmt;

use super::outcome::{HashError, Verdict};
use super::{Password, PasswordHash};

/// Which jobs can be computed together: those whose keys are equal.
///
/// A hasher chooses what it puts in, as a rule the parameters that decide how much work a hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchKey {
    /// The scheme of the hashes.
    pub scheme: &'static str,
    /// What else has to be equal, in the scheme's own terms: for bcrypt the cost.
    pub parameters: u64,
}

/// Jobs of one [`BatchKey`]: new passwords to hash, and passwords to compare with stored hashes.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Passwords to hash, each with a new random salt.
    pub hash: &'a [&'a Password],
    /// Passwords to compare, each with the hash beside it.
    pub verify: &'a [(&'a Password, &'a PasswordHash)],
    /// To be called between the steps of the computation.
    pub pause: Pause<'a>,
}

/// Where a computation that holds its core for long may be interrupted: whoever started it gives way to others there.
///
/// A hasher calls it every 100 µs or so as far as its hash function has steps that short, or not at all.
#[derive(Clone, Copy)]
pub struct Pause<'a>(&'a dyn Fn());

impl<'a> Pause<'a> {
    /// No pause.
    pub const NONE: Self = Self(&|| {});

    /// Runs `what` at each pause.
    #[must_use]
    pub fn new(what: &'a dyn Fn()) -> Self {
        Self(what)
    }

    /// Pauses here.
    pub fn here(self) {
        (self.0)();
    }
}

impl fmt::Debug for Pause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

/// What came of a [`Batch`]: one result for each job, in the order of the jobs.
#[derive(Debug, Default)]
pub struct BatchResults {
    /// The new hashes.
    pub hashes: Vec<Result<PasswordHash, HashError>>,
    /// The comparisons.
    pub verdicts: Vec<Result<Verdict, HashError>>,
}
