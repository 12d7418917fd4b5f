//! bcrypt, the default password hash.
//!
//! [`BcryptHasher::hash`] and [`BcryptHasher::verify`] use the `bcrypt` crate. Batches use `bcrypt-interleaved`, which
//! computes the same function for several passwords at once and with pauses.

use bcrypt_interleaved::{Digest, Hash, MAX_LANES, Salt, hash_batch_pausing};
use zeroize::Zeroizing;

use auth_core::{
    Batch, BatchKey, BatchResults, HashError, Password, PasswordError, PasswordHash, PasswordHasher, Pause, Verdict,
};

use crate::random::random;
use crate::schemes::{HashWork, Scheme};

/// Maximum length of a password that bcrypt reads, in bytes. Longer ones are refused, never truncated.
pub const MAX_BCRYPT_BYTES: usize = bcrypt_interleaved::MAX_PASSWORD_LEN;

/// Lowest cost that bcrypt defines.
pub const MIN_COST: u32 = bcrypt_interleaved::MIN_COST;

/// Highest cost that bcrypt defines.
pub const MAX_COST: u32 = bcrypt_interleaved::MAX_COST;

/// Highest cost of a stored hash that is computed. A hash with a higher one would hold a thread for minutes.
pub const MAX_VERIFIED_COST: u32 = 16;

/// Password hasher for bcrypt. It reads `$2a$`, `$2b$` and `$2y$`, and writes `$2b$`.
#[derive(Debug, Clone)]
pub struct BcryptHasher {
    cost: u32,
}

impl BcryptHasher {
    /// Returns a hasher of the given cost, from [`MIN_COST`] to [`MAX_COST`]: 2^cost rounds.
    ///
    /// # Errors
    ///
    /// When the cost is out of these bounds.
    pub fn new(cost: u32) -> Result<Self, CostError> {
        if (MIN_COST..=MAX_COST).contains(&cost) { Ok(Self { cost }) } else { Err(CostError { cost }) }
    }

    /// Returns a stored hash if its cost is not too high to compute. The hashes that we write are always usable.
    fn usable(&self, stored: &PasswordHash) -> Result<Hash, HashError> {
        let hash: Hash =
            stored.expose_hash().parse().map_err(|_| HashError::UnusableHash("it is not a well-formed bcrypt hash"))?;
        if hash.cost() > self.cost.max(MAX_VERIFIED_COST) {
            return Err(HashError::UnusableHash("its bcrypt cost is higher than 16"));
        }
        Ok(hash)
    }

    fn verdict(&self, matches: bool, cost: u32) -> Verdict {
        match matches {
            false => Verdict::Mismatch,
            true if cost == self.cost => Verdict::Match,
            true => Verdict::MatchRehash,
        }
    }

    /// Returns the input for a new hash.
    fn new_lane<'a>(&self, password: &'a Password) -> Result<Lane<'a>, HashError> {
        let too_long = || HashError::Failed(PasswordError::TooManyBytes { max: MAX_BCRYPT_BYTES }.into());
        let secret = secret_of(password).ok_or_else(too_long)?;
        Ok(Lane { secret, cost: self.cost, salt: random()?, digest: Zeroizing::default() })
    }

    /// Returns the input for a comparison, or `None` if the password is too long to be the right one.
    fn lane_of<'a>(
        &self,
        password: &'a Password,
        stored: &PasswordHash,
    ) -> Result<Option<(Lane<'a>, Hash)>, HashError> {
        let hash = self.usable(stored)?;
        let lane = |secret| Lane { secret, cost: hash.cost(), salt: hash.salt(), digest: Zeroizing::default() };
        Ok(secret_of(password).map(|secret| (lane(secret), hash)))
    }
}

/// Input and output of one computation in a batch.
struct Lane<'a> {
    secret: &'a [u8],
    cost: u32,
    salt: Salt,
    digest: Zeroizing<Digest>,
}

impl Lane<'_> {
    /// Computes the digests, as many at once as the kernel takes. Lanes of the same cost should be next to each other.
    ///
    /// # Errors
    ///
    /// When a cost or a length is out of bounds. The functions that make lanes exclude this.
    fn compute(lanes: &mut [&mut Self], pause: Pause<'_>) -> Result<(), bcrypt_interleaved::Error> {
        for of_one_cost in lanes.chunk_by_mut(|one, other| one.cost == other.cost) {
            for some in of_one_cost.chunks_mut(MAX_LANES) {
                let inputs: Vec<_> = some.iter().map(|lane| (lane.secret, lane.salt)).collect();
                let mut digests = Zeroizing::new([Digest::default(); MAX_LANES]);
                hash_batch_pausing(some[0].cost, &inputs, &mut digests[..some.len()], &mut || pause.here())?;
                for (lane, digest) in some.iter_mut().zip(digests.iter()) {
                    *lane.digest = *digest;
                }
            }
        }
        Ok(())
    }
}

/// Returns the bytes of a password, unless bcrypt would not read all of them.
fn secret_of(password: &Password) -> Option<&[u8]> {
    let secret = password.expose_secret().as_bytes();
    (secret.len() <= MAX_BCRYPT_BYTES).then_some(secret)
}

/// Error of a cost that bcrypt does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bcrypt cost must be from {MIN_COST} to {MAX_COST}, not {cost}")]
pub struct CostError {
    cost: u32,
}

impl PasswordHasher for BcryptHasher {
    fn max_bytes(&self) -> usize {
        MAX_BCRYPT_BYTES
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let lane = self.new_lane(password)?;
        let parts = bcrypt::hash_with_salt(lane.secret, lane.cost, lane.salt)
            .map_err(|error| HashError::Failed(error.into()))?;
        Ok(PasswordHash::new(parts.format_for_version(bcrypt::Version::TwoB)))
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        let cost = self.usable(hash)?.cost();
        let Some(secret) = secret_of(password) else { return Ok(Verdict::Mismatch) };
        let matches = bcrypt::verify(secret, hash.expose_hash()).map_err(|error| HashError::Failed(error.into()))?;
        Ok(self.verdict(matches, cost))
    }

    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        let (salt, digest) = (random()?, Zeroizing::new(random()?));
        written(self.cost, salt, &digest)
    }

    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        let cost = stored.map_or(Some(self.cost), |stored| self.usable(stored).ok().map(|hash| hash.cost()))?;
        Some(BatchKey { scheme: "bcrypt", parameters: cost.into() })
    }

    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        let mut new: Vec<_> = jobs.hash.iter().map(|password| self.new_lane(password)).collect();
        let mut claims: Vec<_> = jobs.verify.iter().map(|(password, hash)| self.lane_of(password, hash)).collect();
        let claimed = claims.iter_mut().flatten().flatten().map(|(lane, _)| lane);
        let mut lanes: Vec<_> = new.iter_mut().flatten().chain(claimed).collect();
        let computed = Lane::compute(&mut lanes, jobs.pause);
        let computed = || computed.map_err(|error| HashError::Failed(error.into()));

        let written = |lane: Lane<'_>| computed().and_then(|()| written(lane.cost, lane.salt, &lane.digest));
        let verdict = |claim: Option<(Lane<'_>, Hash)>| {
            let Some((lane, hash)) = claim else { return Ok(Verdict::Mismatch) };
            computed().map(|()| self.verdict(hash.matches(&lane.digest), lane.cost))
        };
        BatchResults {
            hashes: new.into_iter().map(|lane| lane.and_then(written)).collect(),
            verdicts: claims.into_iter().map(|claim| claim.and_then(verdict)).collect(),
        }
    }
}

impl Scheme for BcryptHasher {
    fn configured(&self) -> HashWork {
        HashWork::Bcrypt { cost: self.cost }
    }

    fn work(&self, hash: &PasswordHash) -> Option<Result<HashWork, HashError>> {
        let ours = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.expose_hash().starts_with(prefix));
        ours.then(|| Ok(HashWork::Bcrypt { cost: self.usable(hash)?.cost() }))
    }

    fn dummy_hash_of(&self, work: HashWork) -> Option<Result<PasswordHash, HashError>> {
        let HashWork::Bcrypt { cost } = work else { return None };
        Some(Self { cost }.dummy_hash())
    }
}

fn written(cost: u32, salt: Salt, digest: &Digest) -> Result<PasswordHash, HashError> {
    let hash = Hash::new(cost, salt, *digest).map_err(|error| HashError::Failed(error.into()))?;
    Ok(PasswordHash::new(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hasher() -> BcryptHasher {
        BcryptHasher::new(4).unwrap()
    }

    #[test]
    fn writes_2b_and_recognises_it() {
        let hash = hasher().hash(&password("123456")).unwrap();
        assert!(hash.expose_hash().starts_with("$2b$04$"));
        assert_eq!(hasher().verify(&password("123456"), &hash).unwrap(), Verdict::Match);
        assert_eq!(hasher().verify(&password("123457"), &hash).unwrap(), Verdict::Mismatch);
        assert_ne!(hasher().hash(&password("123456")).unwrap(), hash, "the salt is random");
    }

    #[test]
    fn reads_published_vectors_of_every_prefix() {
        for (text, hash) in [
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
            ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ] {
            let hash = PasswordHash::new(hash.to_owned());
            assert_eq!(hasher().verify(&password(text), &hash).unwrap(), Verdict::MatchRehash, "{text}");
        }
    }

    #[test]
    fn the_72_byte_rule_is_explicit() {
        for length in [71, 72] {
            let hash = hasher().hash(&password(&"x".repeat(length))).unwrap();
            assert_eq!(hasher().verify(&password(&"x".repeat(length)), &hash).unwrap(), Verdict::Match);
            assert_eq!(hasher().verify(&password(&"x".repeat(73)), &hash).unwrap(), Verdict::Mismatch);
        }
        assert!(hasher().hash(&password(&"x".repeat(73))).is_err());
    }

    #[test]
    fn unusable_hashes_are_errors_not_panics() {
        for text in [
            "",
            "$2b$04$",
            "plain",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$05$üCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
            "$2b$0ü$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        ] {
            let hash = PasswordHash::new(text.to_owned());
            assert!(
                matches!(hasher().verify(&password("x"), &hash), Err(HashError::UnusableHash(_))),
                "{text:?} was not refused"
            );
        }
        assert!(BcryptHasher::new(3).is_err() && BcryptHasher::new(32).is_err());
    }

    #[test]
    fn a_batch_gives_each_job_the_result_that_it_would_have_had_alone() {
        let (right, wrong, long) = (password("123456"), password("123457"), password(&"x".repeat(73)));
        let own = hasher().hash(&right).unwrap();
        let dearer = BcryptHasher::new(5).unwrap().hash(&right).unwrap();
        let broken = PasswordHash::new("plain".to_owned());
        let claims = [
            (&right, &own),
            (&wrong, &own),
            (&long, &own),
            (&right, &broken),
            (&right, &dearer),
            (&wrong, &dearer),
            (&right, &own),
        ];
        let new = [&right, &long, &wrong, &right, &right, &right];
        let results = hasher().run_batch(Batch { hash: &new, verify: &claims, pause: Pause::NONE });

        assert_eq!(results.verdicts.len(), claims.len());
        for (got, (password, hash)) in results.verdicts.iter().zip(claims) {
            match hasher().verify(password, hash) {
                Ok(verdict) => assert_eq!(got.as_ref().unwrap(), &verdict),
                Err(error) => assert_eq!(got.as_ref().unwrap_err().to_string(), error.to_string()),
            }
        }
        assert_eq!(results.hashes.len(), new.len());
        for (got, password) in results.hashes.iter().zip(new) {
            match got {
                Ok(hash) => assert!(bcrypt::verify(password.expose_secret(), hash.expose_hash()).unwrap()),
                Err(error) => assert_eq!(error.to_string(), hasher().hash(password).unwrap_err().to_string()),
            }
        }
        let texts: std::collections::HashSet<_> =
            results.hashes.iter().flatten().map(PasswordHash::expose_hash).collect();
        assert_eq!(texts.len(), 5, "every salt is random");
    }

    #[test]
    fn jobs_share_a_batch_when_they_have_one_cost_and_can_be_computed() {
        let hash = |cost| BcryptHasher::new(cost).unwrap().dummy_hash().unwrap();
        let of_new = hasher().batch_key(None);
        assert!(of_new.is_some());
        assert_eq!(hasher().batch_key(Some(&hash(4))), of_new);
        assert!(hasher().batch_key(Some(&hash(5))).is_some_and(|key| Some(key) != of_new));
        assert_eq!(hasher().batch_key(Some(&hash(17))), None);
        assert_eq!(hasher().batch_key(Some(&PasswordHash::new("plain".to_owned()))), None);
    }

    #[test]
    fn the_dummy_hash_has_the_configured_cost_and_no_password_matches_it() {
        let hasher = BcryptHasher::new(5).unwrap();
        let dummy_hash = hasher.dummy_hash().unwrap();
        assert!(dummy_hash.expose_hash().starts_with("$2b$05$"));
        assert_eq!(hasher.verify(&password("123456"), &dummy_hash).unwrap(), Verdict::Mismatch);
    }
}
