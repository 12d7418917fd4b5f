//! Schemes that count the hashes that they compute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use auth_core::{Batch, BatchKey, BatchResults, HashError, Password, PasswordHash, PasswordHasher, Verdict};
use auth_password::{Argon2Hasher, Argon2Params, BcryptHasher, HashWork, Scheme};

/// Hashes that were computed since the last look: the number of each work.
pub(crate) type Counts = BTreeMap<HashWork, usize>;
pub(crate) type Tally = Arc<Mutex<Counts>>;

/// Scheme that counts every hash that it computes, by its work.
#[derive(Debug)]
pub(crate) struct Counting<S> {
    pub(crate) inner: S,
    pub(crate) tally: Tally,
}

impl<S: Scheme> Counting<S> {
    fn count(&self, work: HashWork) {
        *self.tally.lock().unwrap().entry(work).or_default() += 1;
    }
}

impl<S: Scheme> PasswordHasher for Counting<S> {
    fn max_bytes(&self) -> usize {
        self.inner.max_bytes()
    }
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.inner.hash(password)
    }
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        assert!(password.expose_secret().len() <= self.max_bytes(), "no work would be done");
        self.count(self.inner.work(hash).unwrap().unwrap());
        self.inner.verify(password, hash)
    }
    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        self.inner.dummy_hash()
    }
    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        self.inner.batch_key(stored)
    }
    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        for (password, hash) in jobs.verify {
            assert!(password.expose_secret().len() <= self.max_bytes(), "no work would be done");
            self.count(self.inner.work(hash).unwrap().unwrap());
        }
        self.inner.run_batch(jobs)
    }
}

impl<S: Scheme> Scheme for Counting<S> {
    fn configured(&self) -> HashWork {
        self.inner.configured()
    }
    fn work(&self, hash: &PasswordHash) -> Option<Result<HashWork, HashError>> {
        self.inner.work(hash)
    }
    fn dummy_hash_of(&self, work: HashWork) -> Option<Result<PasswordHash, HashError>> {
        self.inner.dummy_hash_of(work)
    }
}

pub(crate) fn bcrypt(cost: u32) -> BcryptHasher {
    BcryptHasher::new(cost).unwrap()
}

pub(crate) fn argon2(memory_kib: u32, passes: u32) -> Argon2Hasher {
    Argon2Hasher::new(Argon2Params::new(memory_kib, passes, 1).unwrap())
}

pub(crate) fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

/// Returns the total work, by hash function.
pub(crate) fn totals(counts: &Counts) -> (u64, u64) {
    let sum = |bcrypt: bool| {
        let of_function = counts.iter().filter(|(work, _)| matches!(work, HashWork::Bcrypt { .. }) == bcrypt);
        of_function.map(|(work, times)| work.units() * *times as u64).sum()
    };
    (sum(true), sum(false))
}
