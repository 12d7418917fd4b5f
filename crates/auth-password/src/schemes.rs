//! Several schemes and costs side by side, where every login costs the same.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use auth_core::{Batch, BatchKey, BatchResults, HashError, Password, PasswordHash, PasswordHasher, Pause, Verdict};

/// Work of one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashWork {
    /// 2^cost rounds of bcrypt.
    Bcrypt {
        /// The cost.
        cost: u32,
    },
    /// Argon2. Each pass fills the memory once.
    Argon2 {
        /// The memory in KiB.
        memory_kib: u32,
        /// Number of times that it is filled.
        passes: u32,
        /// Number of lanes that it is divided into.
        lanes: u32,
    },
}

impl HashWork {
    /// Returns the work in units of its hash function: rounds of bcrypt, KiB filled by Argon2. Only work of the same
    /// function can be compared.
    #[must_use]
    pub fn units(self) -> u64 {
        match self {
            Self::Bcrypt { cost } => 1_u64.checked_shl(cost).unwrap_or(u64::MAX),
            Self::Argon2 { memory_kib, passes, .. } => u64::from(memory_kib) * u64::from(passes),
        }
    }

    fn same_function(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Returns the work that is missing to `self` once `done` of the same function has been computed. Both together
    /// have as many units as `self`, except for Argon2's minimum memory.
    fn less(self, done: Self) -> Vec<Self> {
        match (self, done) {
            // 2^c and 2^c + 2^(c+1) + … + 2^(d-1) are 2^d.
            (Self::Bcrypt { cost: level }, Self::Bcrypt { cost }) => {
                (cost..level).map(|cost| Self::Bcrypt { cost }).collect()
            }
            (Self::Argon2 { memory_kib: memory, lanes, .. }, Self::Argon2 { .. }) => {
                let left = self.units().saturating_sub(done.units());
                let (passes, rest) = (left / u64::from(memory), left % u64::from(memory));
                let part = |memory: u64, passes: u64| Self::Argon2 {
                    memory_kib: u32::try_from(memory).unwrap_or(u32::MAX),
                    passes: u32::try_from(passes).unwrap_or(u32::MAX),
                    lanes,
                };
                let whole = (passes > 0).then(|| part(memory.into(), passes));
                let last = (rest > 0).then(|| part(rest.max(8 * u64::from(lanes)), 1));
                whole.into_iter().chain(last).collect()
            }
            _ => vec![self],
        }
    }
}

/// [`PasswordHasher`] of one hash function. [`PasswordSchemes`] combines several.
pub trait Scheme: PasswordHasher {
    /// Returns the work of a new hash.
    fn configured(&self) -> HashWork;

    /// Returns the work that a stored hash asks for, or `None` if it is not a hash of this function.
    ///
    /// # Errors
    ///
    /// When the hash is malformed or asks for more than is computed.
    fn work(&self, hash: &PasswordHash) -> Option<Result<HashWork, HashError>>;

    /// Returns a dummy hash with this work, or `None` if the work is not of this function.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    fn dummy_hash_of(&self, work: HashWork) -> Option<Result<PasswordHash, HashError>>;
}

/// Password hasher that writes hashes of one scheme and reads those of several, where every comparison costs the same.
///
/// **Every comparison does the same work.** So its duration does not reveal which account has which kind of hash, or
/// whether the account exists. Each hash function in use has a level: the maximum work of a hash of it. A comparison
/// does the stored hash's own work. Then it computes dummy hashes for the work that is missing to the level of every
/// function. With one function and one cost nothing is missing and nothing is added.
///
/// The levels are at first the configured work of the given schemes. A stored hash that asks for more raises a level
/// until the process ends. The one comparison that first reads such a hash takes longer than those before it. Declare
/// the stored hashes with [`with_level`](Self::with_level) to avoid that.
///
/// A stored hash that cannot be used costs the same too, and is then an error.
#[derive(Debug)]
pub struct PasswordSchemes {
    /// All schemes. The first one writes.
    schemes: Vec<Arc<dyn Scheme>>,
    /// Maximum work of a hash, for each function in use.
    levels: RwLock<Vec<HashWork>>,
    listener: Option<LevelListener>,
    /// Password that is hashed where only the work counts.
    dummy_password: Password,
}

impl PasswordSchemes {
    /// Returns a hasher that writes and reads hashes of this scheme.
    #[must_use]
    pub fn new(scheme: impl Scheme + 'static) -> Self {
        let levels = RwLock::new(vec![scheme.configured()]);
        Self { schemes: vec![Arc::new(scheme)], levels, listener: None, dummy_password: Password::dummy() }
    }

    /// Reads hashes of this scheme as well. It adds to the cost of every comparison once the first such hash is read,
    /// or from the start with [`with_level`](Self::with_level).
    #[must_use]
    pub fn reading(mut self, scheme: impl Scheme + 'static) -> Self {
        self.schemes.push(Arc::new(scheme));
        self
    }

    /// Declares that hashes with this much work are stored.
    #[must_use]
    pub fn with_level(self, work: HashWork) -> Self {
        self.raise_level(work);
        self
    }

    /// Calls `listener` once with every level that is new from now on. An operator should know that each comparison
    /// costs more than was configured.
    #[must_use]
    pub fn on_new_level(mut self, listener: impl Fn(HashWork) + Send + Sync + 'static) -> Self {
        self.listener = Some(LevelListener(Box::new(listener)));
        self
    }

    /// Returns the maximum work of a hash for each hash function in use. A login costs all of it.
    #[must_use]
    pub fn levels(&self) -> Vec<HashWork> {
        self.levels.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Raises the level of a function if this work is more.
    fn raise_level(&self, work: HashWork) {
        let covers = |level: &HashWork| level.same_function(work) && level.units() >= work.units();
        if self.levels.read().unwrap_or_else(PoisonError::into_inner).iter().any(covers) {
            return;
        }
        let mut levels = self.levels.write().unwrap_or_else(PoisonError::into_inner);
        match levels.iter_mut().find(|level| level.same_function(work)) {
            Some(level) if level.units() < work.units() => *level = work,
            Some(_) => return,
            None => levels.push(work),
        }
        drop(levels);
        if let Some(LevelListener(listener)) = &self.listener {
            listener(work);
        }
    }

    fn primary(&self) -> &dyn Scheme {
        self.schemes[0].as_ref()
    }

    /// Returns the scheme of a stored hash, and its work.
    fn scheme_of(&self, hash: &PasswordHash) -> Result<(&dyn Scheme, HashWork), HashError> {
        let found = self.schemes.iter().find_map(|scheme| Some((scheme.as_ref(), scheme.work(hash)?)));
        let (scheme, work) = found.ok_or(HashError::UnusableHash("it is of no scheme that is read"))?;
        Ok((scheme, work?))
    }

    /// Computes `times` dummy hashes for the work that `done` leaves to each level.
    fn top_up(&self, done: Option<HashWork>, times: usize, pause: Pause<'_>) {
        let missing = self.levels().into_iter().flat_map(|level| match done {
            Some(done) => level.less(done),
            None => vec![level],
        });
        for work in missing {
            // The results of the dummy hashes are ignored, failures included: they must not change an answer.
            let scheme = self.schemes.iter().find(|scheme| matches!(scheme.dummy_hash_of(work), Some(Ok(_))));
            let Some(scheme) = scheme else { continue };
            let dummy_hashes: Vec<_> = (0..times).filter_map(|_| scheme.dummy_hash_of(work)?.ok()).collect();
            let jobs: Vec<_> = dummy_hashes.iter().map(|dummy_hash| (&self.dummy_password, dummy_hash)).collect();
            drop(scheme.run_batch(Batch { hash: &[], verify: &jobs, pause }));
        }
    }

    /// Returns the final verdict. A match of another scheme needs a rehash, unless the password is too long for the
    /// first scheme.
    fn verdict(&self, verdict: Verdict, by: &dyn Scheme, password: &Password) -> Verdict {
        let ours = std::ptr::addr_eq(by, self.primary());
        let fits = password.expose_secret().len() <= self.max_bytes();
        match verdict {
            Verdict::Mismatch => Verdict::Mismatch,
            Verdict::Match if ours => Verdict::Match,
            Verdict::Match | Verdict::MatchRehash if fits => Verdict::MatchRehash,
            _ => Verdict::Match,
        }
    }

    fn compare_one(&self, password: &Password, hash: &PasswordHash, pause: Pause<'_>) -> Result<Verdict, HashError> {
        match self.scheme_of(hash) {
            Ok((scheme, work)) => {
                let one = Batch { hash: &[], verify: &[(password, hash)], pause };
                let verdict = self.compare(scheme, work, one).verdicts.pop();
                verdict.unwrap_or(Err(HashError::UnusableHash("the scheme gave no verdict")))
            }
            Err(unusable) => {
                self.top_up(None, 1, pause);
                Err(unusable)
            }
        }
    }

    /// Compares passwords with hashes of one scheme that take the same work.
    fn compare(
        &self,
        scheme: &dyn Scheme,
        work: HashWork,
        Batch { hash: new, verify: claims, pause }: Batch<'_>,
    ) -> BatchResults {
        self.raise_level(work);
        // A password that is too long for the scheme is wrong, but its comparison must not save work.
        let fits = |password: &Password| password.expose_secret().len() <= scheme.max_bytes();
        let jobs: Vec<_> = claims
            .iter()
            .map(|&(password, hash)| (if fits(password) { password } else { &self.dummy_password }, hash))
            .collect();
        let mut results = scheme.run_batch(Batch { hash: new, verify: &jobs, pause });
        self.top_up(Some(work), claims.len(), pause);
        for (result, (password, _)) in results.verdicts.iter_mut().zip(claims) {
            if let Ok(verdict) = result {
                let verdict = if fits(password) { *verdict } else { Verdict::Mismatch };
                *result = Ok(self.verdict(verdict, scheme, password));
            }
        }
        results
    }
}

/// Function that is called with new levels.
struct LevelListener(Box<dyn Fn(HashWork) + Send + Sync>);

impl fmt::Debug for LevelListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelListener")
    }
}

impl PasswordHasher for PasswordSchemes {
    fn max_bytes(&self) -> usize {
        self.primary().max_bytes()
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.primary().hash(password)
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        self.compare_one(password, hash, Pause::NONE)
    }

    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        self.primary().dummy_hash()
    }

    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        match stored {
            None => self.primary().batch_key(None),
            Some(hash) => self.scheme_of(hash).ok()?.0.batch_key(stored),
        }
    }

    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        let first = jobs.verify.first().map(|(_, hash)| self.scheme_of(hash));
        match first {
            // All have one key, so they are of one scheme and take the same work.
            Some(Ok((scheme, work))) => self.compare(scheme, work, jobs),
            Some(Err(_)) => BatchResults {
                hashes: jobs.hash.iter().map(|password| self.hash(password)).collect(),
                verdicts: jobs
                    .verify
                    .iter()
                    .map(|(password, hash)| self.compare_one(password, hash, jobs.pause))
                    .collect(),
            },
            None => self.primary().run_batch(jobs),
        }
    }
}
