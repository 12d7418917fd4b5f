//! Several schemes and costs side by side, at one price for every login.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use auth_core::{Batch, BatchKey, BatchResults, HashError, Password, PasswordHash, PasswordHasher, Pause, Verdict};

/// How much work one hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashWork {
    /// 2^cost rounds of bcrypt.
    Bcrypt {
        /// The cost.
        cost: u32,
    },
    /// Argon2: each pass fills the memory once.
    Argon2 {
        /// The memory in KiB.
        memory_kib: u32,
        /// How often it is filled.
        passes: u32,
        /// Into how many lanes it is divided.
        lanes: u32,
    },
}

impl HashWork {
    /// The work in units of its hash function: rounds of bcrypt, KiB filled by Argon2. Compares work of one function only.
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

    /// What is left of `self` once `done` of the same function has been computed: as many units together, but for
    /// Argon2's smallest memory.
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

/// A [`PasswordHasher`] of one hash function, as [`PasswordSchemes`] puts several together.
pub trait Scheme: PasswordHasher {
    /// The work of a new hash.
    fn configured(&self) -> HashWork;

    /// The work that a stored hash asks for; `None` when it is not one of this function.
    ///
    /// # Errors
    ///
    /// When the hash is malformed or asks for more than is computed.
    fn work(&self, hash: &PasswordHash) -> Option<Result<HashWork, HashError>>;

    /// Returns a dummy hash that takes this much work; `None` when that is not of this function.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    fn dummy_hash_of(&self, work: HashWork) -> Option<Result<PasswordHash, HashError>>;
}

/// Writes hashes of one scheme and reads those of several, at one price.
///
/// **Every comparison does the same work**, so that its duration does not tell which account has which kind of hash, or
/// that there is an account at all. For each hash function in play there is a level: the most work that a hash of it
/// takes. A comparison does the stored hash's own work and then, with dummy hashes, what is missing to the level of every
/// function. With one function and one cost nothing is missing and nothing is added.
///
/// The levels are the configured work of the schemes given, and grow for good (until the process ends) when a stored
/// hash that asks for more is met. The one comparison that meets it first takes longer than those before it: say what is
/// stored with [`with_level`](Self::with_level) to have that known before.
///
/// A stored hash that cannot be used costs the same too, and is then an error.
#[derive(Debug)]
pub struct PasswordSchemes {
    /// The first one writes.
    schemes: Vec<Arc<dyn Scheme>>,
    /// For each function in play, the most work of a hash.
    levels: RwLock<Vec<HashWork>>,
    tell: Option<Tell>,
    /// What is hashed where only the work counts.
    stand_in: Password,
}

impl PasswordSchemes {
    /// Writes and reads hashes of this scheme.
    #[must_use]
    pub fn new(scheme: impl Scheme + 'static) -> Self {
        let levels = RwLock::new(vec![scheme.configured()]);
        Self { schemes: vec![Arc::new(scheme)], levels, tell: None, stand_in: Password::dummy() }
    }

    /// Reads hashes of this scheme as well. It adds to the price of a comparison from when the first one is met, or
    /// from the start with [`with_level`](Self::with_level).
    #[must_use]
    pub fn reading(mut self, scheme: impl Scheme + 'static) -> Self {
        self.schemes.push(Arc::new(scheme));
        self
    }

    /// Says that hashes which take this much work are stored.
    #[must_use]
    pub fn with_level(self, work: HashWork) -> Self {
        self.meet(work);
        self
    }

    /// Has `tell` called with every level that is new from now on, once: somebody should know that each comparison costs
    /// more than was configured.
    #[must_use]
    pub fn on_new_level(mut self, tell: impl Fn(HashWork) + Send + Sync + 'static) -> Self {
        self.tell = Some(Tell(Box::new(tell)));
        self
    }

    /// For each hash function in play the most work that a hash of it takes: what a login costs.
    #[must_use]
    pub fn levels(&self) -> Vec<HashWork> {
        self.levels.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Raises the level of a function if this is more.
    fn meet(&self, work: HashWork) {
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
        if let Some(Tell(tell)) = &self.tell {
            tell(work);
        }
    }

    fn primary(&self) -> &dyn Scheme {
        self.schemes[0].as_ref()
    }

    /// The scheme that a stored hash is of, and its work.
    fn scheme_of(&self, hash: &PasswordHash) -> Result<(&dyn Scheme, HashWork), HashError> {
        let found = self.schemes.iter().find_map(|scheme| Some((scheme.as_ref(), scheme.work(hash)?)));
        let (scheme, work) = found.ok_or(HashError::UnusableHash("it is of no scheme that is read"))?;
        Ok((scheme, work?))
    }

    /// Does, as often as asked, what `done` leaves to the levels.
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
            let jobs: Vec<_> = dummy_hashes.iter().map(|dummy_hash| (&self.stand_in, dummy_hash)).collect();
            drop(scheme.run_batch(Batch { hash: &[], verify: &jobs, pause }));
        }
    }

    /// Whether a match should be hashed anew: by another scheme than it is, where that can take the password.
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

    /// Comparisons with hashes of one scheme that take the same work.
    fn compare(
        &self,
        scheme: &dyn Scheme,
        work: HashWork,
        Batch { hash: new, verify: claims, pause }: Batch<'_>,
    ) -> BatchResults {
        self.meet(work);
        // A password that is too long for the scheme is not the one, but that must not save work.
        let fits = |password: &Password| password.expose_secret().len() <= scheme.max_bytes();
        let jobs: Vec<_> = claims
            .iter()
            .map(|&(password, hash)| (if fits(password) { password } else { &self.stand_in }, hash))
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

/// Who is told of new levels.
struct Tell(Box<dyn Fn(HashWork) + Send + Sync>);

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
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
            // All are of one key, so they are of one scheme and take the same work.
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
